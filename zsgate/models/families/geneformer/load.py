"""Reading a Geneformer checkpoint from its files, published or one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zsgate.data.file.path import expanded
from zsgate.models.device import chosen_device, chosen_dtype
from zsgate.models.families.geneformer.adapter import Geneformer, GeneformerEncoder
from zsgate.models.families.geneformer.dictionaries import check_dictionary
from zsgate.models.families.geneformer.files import find_dictionaries, read_dictionaries
from zsgate.models.families.geneformer.network import (
    BIAS,
    KNOWN_EXTRAS,
    TABLES,
    GeneformerShape,
    check_tied,
    use_one_prefix,
)
from zsgate.models.pretrained.own import find_checkpoint
from zsgate.models.pretrained.tensors import is_padded, match_tensors, read_tensors, without_padding
from zsgate.system.cache import find_folder


def load(
    name: str = "geneformer_v1_10m",
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    dtype: str | None = None,
    preset: str = "official",
    offline: bool = False,
    cache: Path | None = None,
) -> GeneformerEncoder:
    """Return the adapter of a Geneformer checkpoint; one without the masked-gene head embeds and predicts nothing.

    Parameters
    ----------
    name
        A name in :data:`zsgate.models.pretrained.checkpoints.CHECKPOINTS`, or ``"geneformer"``, one's own.
    weights
        Folder with the model, ``config.json`` and the four gene dictionaries, or none where the published ones fit;
        None takes the cache, filled from the official place.
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
    where, home = chosen_device(device), find_folder(cache)
    checkpoint, files = find_checkpoint(name, weights, cache, offline=offline)
    model = next(file.path for each, file in files.items() if each.endswith((".safetensors", ".bin")))
    shape = GeneformerShape.read(files["config.json"].path)
    if weights is not None:
        dictionaries, notes = find_dictionaries(expanded(weights), shape.vocab_size, home, offline=offline)
        checkpoint, files = replace(checkpoint, notes=(*checkpoint.notes, *notes)), files | dictionaries
    genes = read_dictionaries(files, home)
    n_tokens = len(genes.tokens)
    if is_padded(shape.vocab_size, n_tokens):
        shape = replace(shape, vocab_size=n_tokens)
    check_dictionary(genes, shape.vocab_size, str(files["config.json"].path.parent))
    tensors = without_padding(use_one_prefix(read_tensors(model)), TABLES, n_tokens)
    state, left_out = match_tensors(tensors, shape.encoder(), where=model, heads=(shape.head(),), extras=KNOWN_EXTRAS)
    check_tied(tensors, where=model)
    maker, said = (Geneformer, ()) if BIAS in state else (GeneformerEncoder, ("has no masked-gene head",))
    return maker(
        checkpoint=replace(checkpoint, notes=(*checkpoint.notes, *said)),
        state=state,
        files=files,
        left_out=left_out,
        device=where,
        dtype=chosen_dtype(dtype, where),
        preset=preset,
        shape=shape,
        genes=genes,
    )
