"""Tiny checkpoints of UCE and scBERT in the official file formats, over the genes of the cells at hand."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import h5py
import make_scbert
import make_uce
import numpy as np
import torch

from zsgate.data.dataset import Dataset
from zsgate.models.families.scbert import checkpoints as scbert
from zsgate.models.families.scbert.network import PLACES, ScBERTShape
from zsgate.models.families.uce import checkpoints as uce
from zsgate.models.families.uce.network import sinusoids


def write_uce(folder: Path, cells: Dataset) -> Path:
    """Write a tiny UCE whose proteins and places are those of nine in ten of the cells' genes."""
    shape, symbols = make_uce.SMALL, np.unique(cells.symbols)
    names = symbols[np.arange(len(symbols)) % 10 > 0].tolist()
    torch.save(dict.fromkeys(names, torch.zeros(2)), folder / uce.PROTEINS)
    offsets = {"human": make_uce.FIRST_PROTEIN, "mouse": 20_000}
    (folder / uce.OFFSETS).write_bytes(pickle.dumps(offsets))
    with (folder / uce.PLACES).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["species", "gene_symbol", "chromosome", "start"])
        table.writerows(["human", name.upper(), 1 + place % 24, 7 * place] for place, name in enumerate(names))
    generator = torch.Generator().manual_seed(0)
    proteins = torch.randn(make_uce.FIRST_CHROMOSOME + 24, shape.d_protein, generator=generator)
    state = make_uce.uce_weights(shape) | {"pos_encoder.pe": sinusoids(shape.n_places, 1, shape.d_model)}
    state |= {"pe_embedding.weight": proteins, "binary_decoder.3.bias": torch.zeros(1)}
    torch.save(state, folder / "4layer_model.torch")
    return folder


def write_scbert(folder: Path, cells: Dataset) -> Path:
    """Write a tiny scBERT over nine in ten of the cells' 4,000 foremost genes."""
    totals = np.asarray(cells.counts.sum(axis=0)).ravel()
    names = np.unique(cells.symbols[np.argsort(-totals)[:4000]])
    names = names[np.arange(len(names)) % 10 > 0].tolist()
    write_genes(folder / scbert.GENES, names)
    small = make_scbert.SMALL
    shape = ScBERTShape(small.dim, small.depth, small.hidden, n_features=32, n_places=len(names) + 1)
    state = make_scbert.scbert_weights(shape) | {"to_out.bias": torch.zeros(7)}
    state[PLACES] = state[PLACES].double()  # as upstream's file has them
    torch.save({"epoch": 7, "model_state_dict": state}, folder / scbert.MODEL)
    return folder


def write_genes(path: Path, names: list[str]) -> None:
    """Write names of genes as an ``.h5ad`` file has them."""
    with h5py.File(path, "w") as file:
        var = file.create_group("var")
        var.attrs["_index"] = "_index"
        var["_index"] = names
