"""Model files: found in a folder or the cache, fetched, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zsgate.errors import UsageProblem, sentence
from zsgate.system.download import fetch
from zsgate.system.files import replaced_whole, sha256_of

if TYPE_CHECKING:
    from zsgate.models.pretrained.checkpoint import Checkpoint, WeightFile

MOST_JSON = 1 << 26  # bytes; published vocabularies have 1.3 MB
SAVED = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", "pytorch_model.bin.index.json")
MODELS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
MOST_SIZE, MOST_LAYERS = 1 << 20, 1000  # of a network's widths and vocabulary; of its depth


@dataclass(frozen=True)
class FoundFile:
    """A file of a checkpoint as found.

    Attributes
    ----------
    path
        Where it is.
    sha256
        Digest of its bytes.
    status
        ``"verified"``: as published. ``"unpublished"``: no source states a digest, this one is recorded.
        ``"other"``: a user's file that is not the published one.
    """

    path: Path
    sha256: str
    status: str


def find_files(checkpoint: Checkpoint, folder: Path | None, cache: Path, *, offline: bool) -> dict[str, FoundFile]:
    """Return the checkpoint's files by name, from ``folder`` if given, else from the cache or the network.

    Raises
    ------
    UsageProblem
        Naming every absent file, where it is published and where to put it; or the file whose
        digest is not the published one.
    """
    home = folder if folder is not None else cache / "weights" / checkpoint.name
    absent = absent_files(checkpoint, folder, cache)
    if folder is None and not offline:
        for file in absent:
            if file.url is not None:
                fetch(file.url, home / file.name, sha256=file.sha256, n_bytes=file.n_bytes)
        absent = [file for file in absent if file.url is None]
    if absent:
        unlinked = "" if folder is not None else ", and no direct link to these files is published"
        why = ", and the network is off limits (--offline)" if offline and folder is None else unlinked
        raise UsageProblem(_describe_absent(checkpoint, absent, home, why))
    found = {file.name: _check(file, home, strict=folder is None) for file in checkpoint.files}
    for index in [file.path for file in found.values() if file.path.name.endswith(".index.json")]:
        shards = {name: index.with_name(name) for name in read_shards(index)}
        found |= {name: FoundFile(path, sha256_of(path), "other") for name, path in shards.items()}
    return found


def absent_files(checkpoint: Checkpoint, folder: Path | None, cache: Path) -> list[WeightFile]:
    """Return the files of a checkpoint that are neither in the folder given nor in the cache."""
    home = folder if folder is not None else cache / "weights" / checkpoint.name
    return [file for file in checkpoint.files if _find(home, file.name, alone=folder is not None) is None]


def _find(home: Path, name: str, *, alone: bool = False) -> Path | None:
    """Return the file ``name`` in ``home``, or the same content in another format, or None.

    With ``alone`` a model is also the only file in the folder that can be one, whatever it is called.
    """
    stem, suffix = Path(name).stem, Path(name).suffix
    others = {
        ".pt": (name, f"{stem}.safetensors", *SAVED),
        ".bin": (name, *SAVED),
        ".safetensors": (name, *SAVED),
        ".pkl": (name, f"{stem}.json"),
    }.get(suffix, (name,))
    found = [home / other for other in others if (home / other).is_file()]
    kinds = MODELS if suffix in MODELS else (".torch",) if suffix == ".torch" else ()
    if not found and alone and kinds and home.is_dir():
        found = sorted(path for path in home.iterdir() if path.suffix in kinds and path.is_file())
        if len(found) > 1:
            names = ", ".join(path.name for path in found[:10])
            msg = f"{home} has several files that may be the model: {names}; call the one that is meant {name}"
            raise UsageProblem(msg)
    return found[0] if found else None


def _check(file: WeightFile, home: Path, *, strict: bool) -> FoundFile:
    path = _find(home, file.name, alone=not strict)
    assert path is not None  # find_files has looked
    digest = sha256_of(path)
    if file.sha256 == digest:
        return FoundFile(path, digest, "verified")
    if file.sha256 is None:
        return FoundFile(path, digest, _record(path, digest) if strict else "unpublished")
    if strict:
        msg = (
            f"{path} is not the published file (sha256 {digest}, published {file.sha256}): it is truncated or "
            "altered; delete it and it is downloaded again"
        )
        raise UsageProblem(msg)
    return FoundFile(path, digest, "other")


def refuse_other_genes(checkpoint: Checkpoint, file: FoundFile) -> None:
    """Raise UsageProblem if published weights lie beside another list of genes than the published one.

    A list in another order, or a renamed one, would give rows that look right and are not.
    """
    if not checkpoint.own and file.status == "other":
        msg = (
            f"{file.path} is not the list of genes published with {checkpoint.name} (sha256 {file.sha256}), and the "
            f"weights are; put the published list there, or call the model {checkpoint.family} if it is yours"
        )
        raise UsageProblem(msg)


def _record(path: Path, digest: str) -> str:
    """Compare with the digest seen first, kept beside the file: an unpublished file must at least not change."""
    note = path.with_name(path.name + ".sha256")
    if not note.exists():
        with replaced_whole(note) as part:
            part.write_text(digest + "\n", encoding="utf-8")
    first = note.read_text().strip()
    if first != digest:
        msg = f"{path} has changed since it was first seen (sha256 {digest}, then {first}); delete both to start anew"
        raise UsageProblem(msg)
    return "unpublished"


def _describe_absent(checkpoint: Checkpoint, files: Sequence[WeightFile], home: Path, why: str) -> str:
    def line(file: WeightFile) -> str:
        size = "" if file.n_bytes is None else f", {file.n_bytes:,} bytes"
        digest = "no published sha256" if file.sha256 is None else f"sha256 {file.sha256}"
        return f"  {file.name} from {file.url or checkpoint.page} ({digest}{size})"

    lines = "\n".join(line(file) for file in files)
    return (
        f"{checkpoint.name}: {len(files)} file(s) are not in {home}{why}. Put there:\n{lines}\n"
        "or name a folder that has them with --weights DIR"
    )


def read_names_and_values(path: Path) -> dict[str, object]:
    """Return the JSON object in a small file, such as a model's sizes or its vocabulary.

    Raises
    ------
    UsageProblem
        If the file is larger than any such file, or is no JSON object that Python can read.
    """
    try:
        if path.stat().st_size > MOST_JSON:
            msg = f"it has {path.stat().st_size:,} bytes"
            raise ValueError(msg)
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            msg = f"it holds a {type(found).__name__}"
            raise TypeError(msg)
    except (OSError, ValueError, TypeError, RecursionError) as error:  # the last: nested without end
        msg = f"{path} is not JSON of names and values: {sentence(str(error))}"
        raise UsageProblem(msg) from error
    return found


def read_shards(index: Path) -> tuple[str, ...]:
    """Return the names of the files that hold the tensors which an ``.index.json`` lists.

    Raises
    ------
    UsageProblem
        If it lists none, or one that is not beside it.
    """
    places = read_names_and_values(index).get("weight_map")
    names = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
    if not names:
        msg = f"{index} names no files of tensors (weight_map)"
        raise UsageProblem(msg)
    absent = [name for name in names if Path(name).name != name or not index.with_name(name).is_file()]
    if absent:
        msg = f"{index} names files that are not beside it: {', '.join(absent[:10])}"
        raise UsageProblem(msg)
    return tuple(names)


def too_large(sizes: Mapping[str, float]) -> list[str]:
    """Return in words which sizes of a network, by the names in its file, are larger than those of any network."""
    most = {name: MOST_LAYERS if "layers" in name else MOST_SIZE for name in sizes}
    return [f"{name} is more than {most[name]:,}" for name, size in sizes.items() if size > most[name]]
