"""Files of Geneformer's gene dictionaries: those beside the model, or the published ones where these fit it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from zsgate.errors import UsageProblem
from zsgate.models.families.geneformer.dictionaries import GeneDictionary, read_through_json
from zsgate.models.pretrained.checkpoint import Checkpoint
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.tensors import is_padded
from zsgate.models.pretrained.weights import FoundFile, find_files
from zsgate.system.files import sha256_of

KINDS: dict[str, tuple[type, ...]] = {
    "token_dictionary": (int,),
    "gene_median_dictionary": (int, float),
    "ensembl_mapping_dict": (str,),
    "gene_name_id_dict": (str,),
}
PUBLISHED = {25_426: CHECKPOINTS["geneformer_v1_10m"], 20_275: CHECKPOINTS["geneformer_v2_104m"]}  # by tokens


def find_dictionaries(
    folder: Path, n_rows: int, cache: Path, *, offline: bool
) -> tuple[dict[str, FoundFile], tuple[str, ...]]:
    """Return the files of the four dictionaries by name, and in words which of them are not the folder's.

    Those that the folder lacks are the published ones of the version whose number of tokens the model has, if those
    that it does have are of that version.

    Parameters
    ----------
    folder
        With the model.
    n_rows
        Size of the model's vocabulary, padding included.
    cache
        Folder of downloads.
    offline
        Whether nothing may be downloaded.

    Raises
    ------
    UsageProblem
        If a dictionary is absent and no published one is known to fit, or one is there twice.
    """
    here = {kind: path for kind in KINDS if (path := _find(folder, kind)) is not None}
    digests = {file.name: file.sha256 for each in PUBLISHED.values() for file in _dictionaries(each).files}
    found: dict[str, FoundFile] = {}
    for path in here.values():
        digest = sha256_of(path)
        found[path.name] = FoundFile(path, digest, "verified" if digest in digests.values() else "other")
    absent = [kind for kind in KINDS if kind not in here]
    if not absent:
        return found, ()
    version = next((each for size, each in PUBLISHED.items() if n_rows == size or is_padded(n_rows, size)), None)
    wanted = {} if version is None else {file.name: file.sha256 for file in _dictionaries(version).files}
    strangers = [name for name, file in found.items() if file.sha256 not in wanted.values()]
    if version is None or strangers:
        why = f"it has its own {', '.join(strangers)}" if strangers else f"the model has {n_rows:,} tokens"
        msg = (
            f"{folder} lacks {', '.join(absent)} (.pkl or .json), and the published dictionaries are for models of "
            f"25,426 (V1) or 20,275 tokens (V2) with the published tokens: {why}"
        )
        raise UsageProblem(msg)
    lacked = tuple(file for file in _dictionaries(version).files if file.name.startswith(tuple(absent)))
    taken = find_files(replace(version, files=lacked), None, cache, offline=offline)
    return found | taken, (f"the folder lacks {', '.join(taken)}: the published ones, whose number of tokens fits",)


def read_dictionaries(files: Mapping[str, FoundFile], cache: Path) -> GeneDictionary:
    """Return what the four dictionaries among ``files`` say of genes."""
    paths = {kind: next(file.path for name, file in files.items() if name.startswith(kind)) for kind in KINDS}
    return GeneDictionary(*(read_through_json(path, cache, KINDS[kind]) for kind, path in paths.items()))


def _dictionaries(checkpoint: Checkpoint) -> Checkpoint:
    return replace(checkpoint, files=tuple(file for file in checkpoint.files if file.name.startswith(tuple(KINDS))))


def _find(folder: Path, kind: str) -> Path | None:
    """Return the only file of a kind, as a pickle or as JSON; one that is there in both forms is the pickle."""
    named = [path for path in folder.iterdir() if path.name.startswith(kind) and path.suffix in (".pkl", ".json")]
    paths = [path for path in named if path.is_file()]
    if len({path.stem for path in paths}) > 1:
        msg = (
            f"{folder} has several files {kind}: {', '.join(sorted(path.name for path in paths))}; leave the one meant"
        )
        raise UsageProblem(msg)
    return max(paths, key=lambda path: path.suffix, default=None)  # ".pkl" is after ".json"
