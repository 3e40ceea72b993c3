"""Reading a published Geneformer checkpoint from its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zsgate.models.device import chosen_device, chosen_dtype
from zsgate.models.geneformer.adapter import Geneformer
from zsgate.models.geneformer.dictionaries import GeneDictionary, check_dictionary, read_through_json
from zsgate.models.geneformer.network import KNOWN_EXTRAS, GeneformerShape, check_tied
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.weights import FoundFile, find_files, match_tensors, read_tensors
from zsgate.system.cache import find_folder


def load(
    name: str = "geneformer_v1_10m",
    *,
    weights: Path | None = None,
    device: str = "auto",
    dtype: str | None = None,
    preset: str = "official",
    offline: bool = False,
    cache: Path | None = None,
) -> Geneformer:
    """Return the adapter of a published Geneformer checkpoint.

    Parameters
    ----------
    name
        A name in :data:`zsgate.models.pretrained.checkpoints.CHECKPOINTS`.
    weights
        Folder with the model, ``config.json`` and the four gene dictionaries; None takes the cache, filled from
        the official place.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    dtype
        ``"float32"``, ``"bfloat16"`` or ``"float16"``; None is bfloat16 on a GPU that has it, else float32.
    preset
        As :class:`Geneformer` has it.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered, not that of a Geneformer checkpoint, or of another version.
    """
    published, where, home = CHECKPOINTS[name], chosen_device(device), find_folder(cache)
    files = find_files(published, weights, home, offline=offline)
    shape = GeneformerShape.read(files["config.json"].path)
    genes = _read_dictionary(files, home)
    check_dictionary(genes, shape.vocab_size)
    model = next(file.path for each, file in files.items() if each.endswith((".safetensors", ".bin")))
    tensors = read_tensors(model)
    state, left_out = match_tensors(tensors, shape.tensors(), where=model, extras=KNOWN_EXTRAS)
    check_tied(tensors, where=model)
    return Geneformer(
        checkpoint=published,
        state=state,
        files=files,
        left_out=left_out,
        device=where,
        dtype=chosen_dtype(dtype, where),
        preset=preset,
        shape=shape,
        genes=genes,
    )


def _read_dictionary(files: Mapping[str, FoundFile], cache: Path) -> GeneDictionary:
    kinds = {
        "token_dictionary": (int,),
        "gene_median": (int, float),
        "ensembl_mapping": (str,),
        "gene_name_id": (str,),
    }
    found = {kind: next(file.path for name, file in files.items() if name.startswith(kind)) for kind in kinds}
    return GeneDictionary(*(read_through_json(path, cache, kinds[kind]) for kind, path in found.items()))
