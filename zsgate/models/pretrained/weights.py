"""Model files: found in a folder or the cache, fetched, checked, read without executing anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zsgate.errors import UsageProblem
from zsgate.system.download import fetch
from zsgate.system.files import replaced_whole, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

    from zsgate.models.pretrained.checkpoints import Checkpoint, WeightFile

MOST_JSON = 1 << 26  # bytes; published vocabularies have 1.3 MB
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
    return {file.name: _check(file, home, strict=folder is None) for file in checkpoint.files}


def absent_files(checkpoint: Checkpoint, folder: Path | None, cache: Path) -> list[WeightFile]:
    """Return the files of a checkpoint that are neither in the folder given nor in the cache."""
    home = folder if folder is not None else cache / "weights" / checkpoint.name
    return [file for file in checkpoint.files if _find(home, file.name) is None]


def _find(home: Path, name: str) -> Path | None:
    """Return the file ``name`` in ``home``, or the same content in a safer format, or None."""
    stem = Path(name).stem
    for other in {
        ".pt": (name, f"{stem}.safetensors", "model.safetensors"),
        ".bin": (name, "model.safetensors"),
        ".safetensors": (name, "pytorch_model.bin"),
        ".pkl": (name, f"{stem}.json"),
    }.get(Path(name).suffix, (name,)):
        if (home / other).is_file():
            return home / other
    return None


def _check(file: WeightFile, home: Path, *, strict: bool) -> FoundFile:
    path = _find(home, file.name)
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


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors or PyTorch file by name, on the CPU, without running code in it.

    Raises
    ------
    UsageProblem
        If the file is truncated, altered, or holds anything but tensors.
    """
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the boundary to safetensors, pickle and PyTorch: a damaged file fails in any way
        msg = f"{path} cannot be read as model weights, it is truncated, altered or not a weight file: {error}"
        raise UsageProblem(msg) from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        msg = f"{path} holds something else than tensors by name; a state dict is expected"
        raise UsageProblem(msg)
    strange = [name for name, value in found.items() if not torch.is_tensor(value)]
    if strange:
        msg = f"{path} holds more than named tensors; a state dict is expected"
        raise UsageProblem(msg)
    unusual = [
        name
        for name, value in found.items()
        if value.layout != torch.strided or value.is_complex() or value.is_quantized or value.is_meta
    ]
    if unusual:
        msg = f"{path} holds tensors that are sparse, complex or quantized: {', '.join(unusual[:10])}"
        raise UsageProblem(msg)
    return dict(found)


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
        msg = f"{path} is not JSON of names and values: {error}"
        raise UsageProblem(msg) from error
    return found


def too_large(sizes: Mapping[str, float]) -> list[str]:
    """Return in words which sizes of a network, by the names in its file, are larger than those of any network."""
    most = {name: MOST_LAYERS if "layers" in name else MOST_SIZE for name in sizes}
    return [f"{name} is more than {most[name]:,}" for name, size in sizes.items() if size > most[name]]


def match_tensors(
    state: Mapping[str, Tensor],
    expected: Mapping[str, tuple[int, ...]],
    *,
    where: Path,
    extras: Sequence[str] = (),
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return (the expected tensors in float32, the known extras left out); anything else is refused.

    Parameters
    ----------
    state
        What the file holds.
    expected
        Shape of every tensor the model uses.
    where
        The file, for the message.
    extras
        Beginnings of names that official files are known to carry and the model does not use.

    Raises
    ------
    UsageProblem
        Listing everything missing, misshapen or unknown.
    """
    missing = [name for name in expected if name not in state]
    misshapen = [
        f"{name} {tuple(state[name].shape)} for {shape}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    left_out = [name for name in state if name not in expected]
    unknown = [name for name in left_out if not name.startswith(tuple(extras))]
    problems = [
        f"{len(names)} {what}: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}"
        for what, names in (("missing", missing), ("misshapen", misshapen), ("unknown", unknown))
        if names
    ]
    if problems:
        msg = f"{where} does not fit the model, nothing was loaded; {'; '.join(problems)}"
        raise UsageProblem(msg)
    return {name: state[name].float() for name in expected}, tuple(sorted(left_out))
