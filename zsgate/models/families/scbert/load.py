"""Reading an scBERT checkpoint from its files, published or one's own."""

from __future__ import annotations

from pathlib import Path

import h5py
import torch

from zsgate.data.file.boundary import boundary
from zsgate.data.file.probe import refuse_unreadable
from zsgate.models.device import chosen_device
from zsgate.models.families.scbert.adapter import ScBERT
from zsgate.models.families.scbert.checkpoints import GENES, MODEL
from zsgate.models.families.scbert.network import KNOWN_EXTRAS, PLACES, ScBERTShape
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.models.pretrained.own import find_checkpoint
from zsgate.models.pretrained.tensors import match_tensors, read_tensors


def load(
    name: str = "scbert_panglao",
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    preset: str = "official",
    pooling: str = "mean",
    offline: bool = False,
    cache: Path | None = None,
) -> ScBERT:
    """Return the adapter of an scBERT checkpoint, which runs in float32.

    Parameters
    ----------
    name
        ``"scbert_panglao"``, or ``"scbert"``, one's own.
    weights
        Folder with ``panglao_pretrain.pth`` and ``gene_order_16906.h5ad``; None takes the cache.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    preset
        ``"official"``; Kedzierska et al. did not run this model.
    pooling
        As :class:`ScBERT` has it.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered or not that of an scBERT checkpoint.
    """
    where = chosen_device(device)
    checkpoint, files = find_checkpoint(name, weights, cache, offline=offline)
    model = files[MODEL].path
    genes, tensors = read_gene_order(files[GENES].path), read_tensors(model)
    shape = ScBERTShape.of(tensors, where=model)
    expected = shape.tensors() | {PLACES: (len(genes) + 1, shape.dim)}
    state, left_out = match_tensors(tensors, expected, where=model, extras=KNOWN_EXTRAS)
    return ScBERT(
        checkpoint=checkpoint,
        places=state.pop(PLACES),
        state=state,
        files=files,
        left_out=left_out,
        device=where,
        dtype=torch.float32,
        preset=preset,
        shape=shape,
        genes=genes,
        pooling=pooling,
    )


def read_gene_order(path: Path) -> GeneOrder:
    """Return the names of the genes of an ``.h5ad`` file, in its order.

    Raises
    ------
    UsageProblem
        If it is no such file, or names a gene twice.
    """
    refuse_unreadable(path)
    with boundary(f"{path} is not a readable .h5ad file of genes"), h5py.File(path) as file:
        genes = file["var"]
        index = genes.attrs.get("_index", "_index")
        names = [str(name) for name in genes[index].asstr()[:]]
    return GeneOrder.of(names, path)
