"""Tiny checkpoints of five families in the official file formats, over the genes of the cells at hand."""

from __future__ import annotations

import csv
import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import make_genecompass
import make_scbert
import make_uce
import numpy as np
import torch
from drawn import drawn_state, with_batch_norms

from zsgate.data.dataset import Dataset
from zsgate.models.families.genecompass import checkpoints as genecompass
from zsgate.models.families.genecompass.network import FLAGS
from zsgate.models.families.scbert import checkpoints as scbert
from zsgate.models.families.scbert.network import PLACES, ScBERTShape
from zsgate.models.families.scfoundation import checkpoints as scfoundation
from zsgate.models.families.scfoundation.network import ScFoundationShape
from zsgate.models.families.scimilarity.network import SCimilarityShape
from zsgate.models.families.uce import checkpoints as uce
from zsgate.models.families.uce.network import UCEShape, sinusoids


def known_symbols(cells: Dataset) -> list[str]:
    """Return nine in ten of the cells' genes, in order."""
    symbols = np.unique(cells.symbols)
    return symbols[np.arange(len(symbols)) % 10 > 0].tolist()


def write_uce(folder: Path, cells: Dataset, shape: UCEShape = make_uce.SMALL) -> Path:
    """Write a tiny UCE whose proteins and places are those of nine in ten of the cells' genes."""
    names = known_symbols(cells)
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


def write_genecompass(folder: Path, cells: Dataset) -> Path:
    """Write a tiny GeneCompass over nine in ten of the cells' genes and as many of the mouse's names."""
    assert cells.ensembl is not None
    names = dict(zip(cells.ensembl.tolist(), cells.symbols.tolist(), strict=True))
    human = sorted(names)
    human = [gene for place, gene in enumerate(human) if place % 10]
    mouse = [gene.replace("ENSG", "ENSMUSG") for gene in human]
    tokens = {gene: place for place, gene in enumerate(["<pad>", "<mask>", *human, *mouse])}
    medians = np.random.default_rng(0).lognormal(0.5, 0.5, len(human)).round(2)
    for name, content in (
        (genecompass.TOKENS, tokens),
        (genecompass.MEDIANS, dict(zip(human[50:], medians, strict=False))),
        (genecompass.NAMES, names | dict.fromkeys(mouse, "Abc1")),
    ):
        (folder / name).write_bytes(pickle.dumps(content))
    small = make_genecompass.SMALL
    shape = replace(small, bert=replace(small.bert, vocab_size=len(tokens)))
    config = asdict(shape.bert) | {"model_type": "bert", "hidden_act": "gelu"} | dict.fromkeys(FLAGS, True)
    (folder / genecompass.CONFIG).write_text(json.dumps(config))
    extras = {"cls4value.predictions.bias": torch.zeros(1), "bert.embeddings.homologous_index": torch.arange(3)}
    torch.save(make_genecompass.genecompass_weights(shape) | extras, folder / genecompass.MODEL)
    return folder


def write_scimilarity(folder: Path, cells: Dataset) -> Path:
    """Write a tiny SCimilarity over nine in ten of the cells' genes."""
    names = known_symbols(cells)
    shape = SCimilarityShape(len(names), (32, 16), 8)
    (folder / "gene_order.tsv").write_text("\n".join(names))
    state = with_batch_norms(drawn_state(shape.tensors(), 0))
    state |= {name: torch.tensor(3) for name in shape.extras()}
    (folder / "layer_sizes.json").write_text(json.dumps({name: list(each.shape) for name, each in state.items()}))
    torch.save({"state_dict": state}, folder / "encoder.ckpt")
    return folder


def write_scfoundation(folder: Path, cells: Dataset) -> Path:
    """Write a tiny scFoundation over nine in ten of the cells' genes, and a decoder that is not run."""
    names = known_symbols(cells)
    lines = ["gene_name\tindex", *(f"{name}\t{place}" for place, name in enumerate(names))]
    (folder / scfoundation.GENES).write_text("\n".join(lines) + "\n")
    shape = ScFoundationShape(len(names), 32, 2, 4, 10, 1.0)
    state = drawn_state(shape.tensors(), 0) | {"decoder.layer.weight": torch.zeros(2)}
    part = {"config": scfoundation_config(shape), "state_dict": {f"model.{name}": each for name, each in state.items()}}
    torch.save({"cell": part, "rde": part | {"state_dict": {}}, "gene": {}}, folder / "models.ckpt")
    return folder


def scfoundation_config(shape: ScFoundationShape) -> dict[str, object]:
    """Return the settings of an encoder, as the published file has them."""
    encoder = {"hidden_dim": shape.hidden_dim, "depth": shape.depth, "heads": shape.heads}
    inner = {"encoder": encoder | {"module_type": "transformer", "norm_first": False}, "seq_len": shape.n_genes + 2}
    inner |= {"bin_num": shape.bin_num, "bin_alpha": shape.bin_alpha, "pad_token_id": 103, "mask_token_id": 102}
    return {
        "model": "mae_autobin",
        "model_config": {"mae_autobin": inner},
        "dataset_config": {"rnaseq": {"bin_type": "auto_bin"}},
    }


def write_genes(path: Path, names: list[str]) -> None:
    """Write names of genes as an ``.h5ad`` file has them."""
    with h5py.File(path, "w") as file:
        var = file.create_group("var")
        var.attrs["_index"] = "_index"
        var["_index"] = names
