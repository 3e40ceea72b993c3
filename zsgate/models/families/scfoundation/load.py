"""Reading an scFoundation encoder from its files, published or one's own."""

from __future__ import annotations

from pathlib import Path

from zsgate.models.device import chosen_device, chosen_dtype
from zsgate.models.families.scfoundation.adapter import ScFoundation
from zsgate.models.families.scfoundation.checkpoints import GENES
from zsgate.models.families.scfoundation.network import KNOWN_EXTRAS, ScFoundationShape
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.models.pretrained.own import find_checkpoint
from zsgate.models.pretrained.tensors import match_tensors, read_part
from zsgate.models.pretrained.weights import refuse_other_genes

PART = "cell"  # the model in the file that upstream embeds cells with


def load(
    name: str = "scfoundation_cell",
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    dtype: str | None = None,
    preset: str = "official",
    pooling: str = "all",
    offline: bool = False,
    cache: Path | None = None,
) -> ScFoundation:
    """Return the adapter of an scFoundation encoder.

    Parameters
    ----------
    name
        ``"scfoundation_cell"``, or ``"scfoundation"``, one's own.
    weights
        Folder with ``models.ckpt`` and the list of genes; None takes the cache.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    dtype
        ``"float32"``, ``"bfloat16"`` or ``"float16"``; None is bfloat16 on a GPU that has it, else float32.
    preset
        ``"official"``; Kedzierska et al. did not run this model.
    pooling
        As :class:`ScFoundation` has it.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered or not that of an scFoundation encoder.
    """
    where = chosen_device(device)
    checkpoint, files = find_checkpoint(name, weights, cache, offline=offline)
    refuse_other_genes(checkpoint, files[GENES])
    genes, model = GeneOrder.read(files[GENES].path, header="gene_name"), files["models.ckpt"].path
    tensors, config = read_part(model, PART)
    shape = ScFoundationShape.of(config, len(genes), model)
    state, left_out = match_tensors(tensors, shape.tensors(), where=model, extras=KNOWN_EXTRAS)
    return ScFoundation(
        checkpoint=checkpoint,
        state=state,
        files=files,
        left_out=tuple(part for part in KNOWN_EXTRAS if any(name.startswith(part) for name in left_out)),
        device=where,
        dtype=chosen_dtype(dtype, where),
        preset=preset,
        shape=shape,
        genes=genes,
        pooling=pooling,
    )
