"""Reading an SCimilarity encoder from its files, published or one's own."""

from __future__ import annotations

from pathlib import Path

import torch

from zsgate.models.device import chosen_device
from zsgate.models.families.scimilarity.adapter import SCimilarity
from zsgate.models.families.scimilarity.network import SCimilarityShape
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.models.pretrained.own import find_checkpoint
from zsgate.models.pretrained.tensors import match_tensors, read_tensors


def load(
    name: str = "scimilarity_v1_1",
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    preset: str = "official",
    offline: bool = False,
    cache: Path | None = None,
) -> SCimilarity:
    """Return the adapter of an SCimilarity encoder, which runs in float32.

    Parameters
    ----------
    name
        ``"scimilarity_v1_1"``, or ``"scimilarity"``, one's own.
    weights
        Folder with ``encoder.ckpt``, ``layer_sizes.json`` and ``gene_order.tsv``; None takes the cache.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    preset
        ``"official"``; Kedzierska et al. did not run this model.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered or not that of an SCimilarity encoder.
    """
    where = chosen_device(device)
    checkpoint, files = find_checkpoint(name, weights, cache, offline=offline)
    genes = GeneOrder.read(files["gene_order.tsv"].path)
    shape = SCimilarityShape.read(files["layer_sizes.json"].path, len(genes))
    model = files["encoder.ckpt"].path
    state, left_out = match_tensors(read_tensors(model), shape.tensors(), where=model, extras=shape.extras())
    return SCimilarity(
        checkpoint=checkpoint,
        state=state,
        files=files,
        left_out=left_out,
        device=where,
        dtype=torch.float32,
        preset=preset,
        shape=shape,
        genes=genes,
    )
