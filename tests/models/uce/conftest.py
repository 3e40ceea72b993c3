"""A tiny UCE in the official file formats, over the genes of the cells at hand."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from make_uce import FIRST_CHROMOSOME, FIRST_PROTEIN, SMALL, uce_weights

from zsgate.data.dataset import Dataset
from zsgate.models.families.uce.adapter import UCE
from zsgate.models.families.uce.load import load
from zsgate.models.families.uce.network import sinusoids

PROTEINS = "Homo_sapiens.GRCh38.gene_symbol_to_embedding_ESM2.pt"


@pytest.fixture(scope="session")
def uce_folder(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose proteins and places are those of nine in ten of the cells' genes."""
    folder = tmp_path_factory.mktemp("uce")
    symbols = np.unique(few_cells.symbols)
    names = symbols[np.arange(len(symbols)) % 10 > 0].tolist()
    vector = torch.zeros(2)
    torch.save(dict.fromkeys(names, vector), folder / PROTEINS)
    (folder / "species_offsets.pkl").write_bytes(pickle.dumps({"human": FIRST_PROTEIN, "mouse": 20_000}))
    with (folder / "species_chrom.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["species", "gene_symbol", "chromosome", "start"])
        table.writerows(["human", name.upper(), 1 + place % 24, 7 * place] for place, name in enumerate(names))
    generator = torch.Generator().manual_seed(0)
    table_of_proteins = torch.randn(FIRST_CHROMOSOME + 24, SMALL.d_protein, generator=generator)
    state = uce_weights(SMALL) | {"pos_encoder.pe": sinusoids(SMALL.n_places, 1, SMALL.d_model)}
    state |= {"pe_embedding.weight": table_of_proteins, "binary_decoder.3.bias": torch.zeros(1)}
    torch.save(state, folder / "4layer_model.torch")
    return folder


@pytest.fixture(scope="session")
def tiny_uce(uce_folder: Path) -> Callable[..., UCE]:
    """Return what loads the tiny UCE."""

    def made(**options: object) -> UCE:
        return load("uce_4l", weights=uce_folder, device="cpu", offline=True, **options)  # type: ignore[arg-type]

    return made
