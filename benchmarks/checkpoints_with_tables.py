"""Full-size checkpoints with random weights of models that read tables learnt elsewhere: proteins, places, priors."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import torch

from zsgate.data.dataset import Dataset
from zsgate.models.families.genecompass import checkpoints as genecompass
from zsgate.models.families.genecompass import network as genecompass_network
from zsgate.models.families.scbert import checkpoints as scbert
from zsgate.models.families.scbert import network as scbert_network
from zsgate.models.families.uce import checkpoints as uce
from zsgate.models.families.uce import network as uce_network
from zsgate.models.families.uce.genes import FIRST_CHROMOSOME
from zsgate.models.transformer.bert import BertShape

UCE = uce_network.UCEShape(5120, 1280, 5120, 4, 1024, 1280, 1536)
SCBERT = scbert_network.ScBERTShape(200, 6, 800, 266, 16_907)
GENECOMPASS = genecompass_network.GeneCompassShape(
    BertShape(768, 12, 3072, 12, 2048, 50_558, 2, 1e-12), (768, 768, 768, 768)
)


def make_uce(folder: Path, official: Path | None, seed: int = 0, shape: uce_network.UCEShape = UCE) -> Path:
    """Write an untrained uce_4l; its proteins take 0.6 MB, because they overlap: each begins one number later."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [name.upper() for name in np.unique(pancreas().symbols).tolist()]
    torch.save(dict.fromkeys(names, torch.zeros(1)), folder / uce.PROTEINS)
    (folder / uce.OFFSETS).write_bytes(pickle.dumps({"human": 4}))
    with (folder / uce.PLACES).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["species", "gene_symbol", "chromosome", "start"])
        table.writerows(["human", name, 1 + place % 24, 7 * place] for place, name in enumerate(names))
    n_tokens = FIRST_CHROMOSOME + 1895
    proteins = _overlapping(n_tokens, shape.d_protein, seed)
    state = uce_network.random_state(shape, seed) | {uce_network.PROTEINS: proteins}
    torch.save(state, folder / "4layer_model.torch")
    return folder


def make_scbert(folder: Path, official: Path | None, seed: int = 0, shape: scbert_network.ScBERTShape = SCBERT) -> Path:
    """Write an untrained scbert_panglao whose places are drawn, too."""
    folder.mkdir(parents=True, exist_ok=True)
    if official is not None:
        shutil.copyfile(official / "scbert" / scbert.GENES, folder / scbert.GENES)
    else:
        dataset = pancreas()
        expressed = np.argsort(-np.asarray(dataset.counts.sum(axis=0)).ravel(), kind="stable")
        names = list(dict.fromkeys(dataset.symbols[expressed].tolist()))
        with h5py.File(folder / scbert.GENES, "w") as file:
            file["var/_index"] = filled(names, shape.n_places - 1)
    places = torch.randn(shape.n_places, shape.dim, generator=torch.Generator().manual_seed(seed + 1))
    state = scbert_network.random_state(shape, seed) | {scbert_network.PLACES: places.double()}
    torch.save({"model_state_dict": state}, folder / scbert.MODEL)
    return folder


def make_genecompass(
    folder: Path,
    official: Path | None,
    seed: int = 0,
    shape: genecompass_network.GeneCompassShape = GENECOMPASS,
) -> Path:
    """Write an untrained genecompass_base; its prior knowledge overlaps as UCE's proteins do."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = pancreas()
    names = dict(zip(dataset.ensembl.tolist(), dataset.symbols.tolist(), strict=True))
    genes = filled(list(names), shape.bert.vocab_size - 2)
    medians = np.random.default_rng(seed).lognormal(0.7, 0.5, len(names))
    for name, content in (
        (genecompass.TOKENS, {gene: place for place, gene in enumerate(["<pad>", "<mask>", *genes])}),
        (genecompass.MEDIANS, dict(zip(names, medians.tolist(), strict=True))),
        (genecompass.NAMES, names),
    ):
        (folder / name).write_bytes(pickle.dumps(content))
    config = asdict(shape.bert) | {"model_type": "bert", "hidden_act": "gelu", "pad_token_id": 0}
    config |= dict.fromkeys(genecompass_network.FLAGS, True)
    (folder / genecompass.CONFIG).write_text(json.dumps(config, indent=2))
    priors = {name: _overlapping(*size, seed + place) for place, (name, size) in enumerate(shape.priors().items(), 1)}
    torch.save(genecompass_network.random_state(shape, seed) | priors, folder / genecompass.MODEL)
    return folder


def _overlapping(n_rows: int, width: int, seed: int) -> torch.Tensor:
    """Return a table that takes the room of one row: each begins one number behind the last."""
    numbers = torch.randn(n_rows + width, generator=torch.Generator().manual_seed(seed))
    return numbers.as_strided((n_rows, width), (1, 1))


def filled(names: list[str], size: int) -> list[str]:
    """Return ``names`` followed by names of no gene, ``size`` in all."""
    return [*names, *(f"NO_GENE_{place}" for place in range(size - len(names)))][:size]


def pancreas() -> Dataset:
    """Return the packaged cells that give made-up checkpoints their genes."""
    from zsgate.data.catalogue.load import load

    return load("pancreas_hormone2cell")
