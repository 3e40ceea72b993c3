"""Tiny sound checkpoints over made cells, as the bytes of their files, and the rows that they give."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from drawn import drawn_state
from make_uce import SMALL
from safetensors.torch import save_file
from tiny import write_genecompass, write_scbert, write_scfoundation, write_scimilarity, write_uce

from zsgate.data.dataset import Dataset
from zsgate.models.families.geneformer.network import GeneformerShape
from zsgate.models.families.scgpt.network import ScGPTShape

SCGPT = ScGPTShape(embsize=16, nheads=2, d_hid=8, nlayers=2, max_seq_len=60)
ARGS = {"pad_token": "<pad>", "pad_value": -2, "mask_value": -1, "n_bins": 51, "MVC": True}
FAMILIES = ("scgpt", "geneformer", "gene2vec", "scbert", "genecompass", "uce", "scfoundation", "scimilarity")
N_GENES = 300  # GeneCompass takes no dictionary with fewer medians
MANY_GENES = 5600  # SCimilarity takes no cells of which it knows fewer than 5,000
NARROW = replace(SMALL, d_protein=4)  # of 143,598 proteins


@dataclass(frozen=True)
class Sound:
    """A checkpoint.

    Attributes
    ----------
    files
        Bytes of each, by name.
    model
        Name of the one with the tensors.
    rows
        What it gives for the cells.
    """

    files: dict[str, bytes]
    model: str
    rows: np.ndarray[Any, Any]


@cache
def cells(n_genes: int = N_GENES) -> Dataset:
    """Return six cells."""
    generator = np.random.default_rng(0)
    counts = generator.poisson(2.0, (6, n_genes)) + 1
    symbols = np.array([f"GENE{place}" for place in range(n_genes)])
    ensembl = np.array([f"ENSG{place:011d}" for place in range(n_genes)])
    names = np.array([f"cell {place}" for place in range(6)])
    types = np.resize(["a", "b"], 6)
    return Dataset(name="made", counts=counts, cell_ids=names, cell_types=types, symbols=symbols, ensembl=ensembl)


def embedded(family: str, folder: Path, cache_folder: Path) -> np.ndarray[Any, Any]:
    """Return the rows that the checkpoint in a folder gives for the cells."""
    load = import_module(f"zsgate.models.families.{family}.load").load
    model = load(family, weights=folder, device="cpu", offline=True, cache=cache_folder)
    some = cells(MANY_GENES if family == "scimilarity" else N_GENES)
    model.check(some)
    rows: np.ndarray[Any, Any] = model.embed(some)
    return rows


@cache
def sound(family: str) -> Sound:
    """Return the checkpoint of a family."""
    with TemporaryDirectory() as place:
        folder = Path(place) / family
        folder.mkdir()
        model = WRITERS[family](folder)
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        return Sound(files, model, embedded(family, folder, Path(place) / "cache"))


def tensors_of(content: bytes) -> Any:
    """Return what a file of PyTorch or safetensors holds."""
    if content[8:9] == b"{":
        from safetensors.torch import load

        return load(content)
    return torch.load(BytesIO(content), weights_only=True)


def saved(state: Any, **how: Any) -> bytes:
    """Return the bytes of a file of PyTorch."""
    stream = BytesIO()
    torch.save(state, stream, **how)
    return stream.getvalue()


def _known(every: int = 10) -> list[str]:
    return [name for place, name in enumerate(cells().symbols.tolist()) if place % every]


def _scgpt(folder: Path) -> str:
    names = ["<pad>", *_known(), "<cls>", "<eoc>"]
    (folder / "vocab.json").write_text(json.dumps({name: place for place, name in enumerate(names)}))
    sizes = {name: getattr(SCGPT, name) for name in SCGPT.__dataclass_fields__}
    (folder / "args.json").write_text(json.dumps(ARGS | sizes))
    (folder / "best_model.pt").write_bytes(saved(drawn_state(SCGPT.tensors(len(names)), 0)))
    return "best_model.pt"


def _geneformer(folder: Path) -> str:
    assert cells().ensembl is not None
    genes = [gene for place, gene in enumerate(cells().ensembl.tolist()) if place % 4]
    names = ["<pad>", "<mask>", *genes]
    shape = GeneformerShape(16, 2, 32, 2, 80, len(names), 2, 1e-12)
    medians = np.random.default_rng(0).lognormal(1, 0.5, len(genes)).round(1).tolist()
    for kind, content in (
        ("token_dictionary", {name: place for place, name in enumerate(names)}),
        ("gene_median_dictionary", dict(zip(genes, medians, strict=True))),
        ("ensembl_mapping_dict", {gene: gene for gene in genes}),
        ("gene_name_id_dict", dict(zip(cells().symbols.tolist(), cells().ensembl.tolist(), strict=True))),
    ):
        (folder / f"{kind}_gc30M.pkl").write_bytes(pickle.dumps(content))
    sizes = {name: getattr(shape, name) for name in shape.__dataclass_fields__}
    config = {"model_type": "bert", "hidden_act": "relu", "pad_token_id": 0} | sizes
    (folder / "config.json").write_text(json.dumps(config))
    save_file(drawn_state(shape.tensors(), 0), folder / "model.safetensors")
    return "model.safetensors"


def _gene2vec(folder: Path) -> str:
    (folder / "genes.tsv").write_text("\n".join(_known()) + "\n")
    np.save(folder / "vectors.npy", np.random.default_rng(0).normal(0, 0.24, (len(_known()), 4)))
    return "vectors.npy"


def _scbert(folder: Path) -> str:
    write_scbert(folder, cells())
    return next(path.name for path in folder.iterdir() if path.suffix in (".pth", ".pt", ".ckpt"))


def _genecompass(folder: Path) -> str:
    write_genecompass(folder, cells())
    return next(path.name for path in folder.iterdir() if path.suffix == ".bin")


def _uce(folder: Path) -> str:
    write_uce(folder, cells(), NARROW)
    return "4layer_model.torch"


def _scfoundation(folder: Path) -> str:
    write_scfoundation(folder, cells())
    return "models.ckpt"


def _scimilarity(folder: Path) -> str:
    write_scimilarity(folder, cells(MANY_GENES))
    return "encoder.ckpt"


WRITERS: dict[str, Callable[[Path], str]] = {
    "scgpt": _scgpt,
    "geneformer": _geneformer,
    "gene2vec": _gene2vec,
    "scbert": _scbert,
    "genecompass": _genecompass,
    "uce": _uce,
    "scfoundation": _scfoundation,
    "scimilarity": _scimilarity,
}
