"""Tiny checkpoints in the official file formats, made on the spot."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from zsgate.data.dataset import Dataset
from zsgate.models.families.gene2vec.adapter import Gene2vec
from zsgate.models.families.gene2vec.load import load as load_gene2vec
from zsgate.models.families.genecompass.adapter import GeneCompass
from zsgate.models.families.genecompass.load import load as load_genecompass
from zsgate.models.families.geneformer.adapter import Geneformer
from zsgate.models.families.geneformer.load import load as load_geneformer
from zsgate.models.families.geneformer.network import GeneformerShape
from zsgate.models.families.scfoundation.adapter import ScFoundation
from zsgate.models.families.scfoundation.load import load as load_scfoundation
from zsgate.models.families.scgpt.adapter import ScGPT
from zsgate.models.families.scgpt.load import load as load_scgpt
from zsgate.models.families.scgpt.network import ScGPTShape
from zsgate.models.families.scimilarity.adapter import SCimilarity
from zsgate.models.families.scimilarity.load import load as load_scimilarity

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))  # drawn.py, shared with the scripts there
from drawn import drawn_state
from tiny import known_symbols, write_genecompass, write_scbert, write_scfoundation, write_scimilarity, write_uce

SCGPT_SHAPE = ScGPTShape(embsize=32, nheads=2, d_hid=16, nlayers=3, max_seq_len=300)
ARGS = {"n_layers_cls": 3, "pad_token": "<pad>", "pad_value": -2, "mask_value": -1, "n_bins": 51, "MVC": True}


@pytest.fixture(scope="session")
def handful(few_cells: Dataset) -> Dataset:
    """Return 40 real cells."""
    return few_cells.subset(np.arange(0, few_cells.n_cells, 6), name="handful")


@pytest.fixture(scope="session")
def scgpt_folder(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny scGPT whose vocabulary is nine in ten of the cells' genes."""
    folder = tmp_path_factory.mktemp("scgpt")
    symbols = np.unique(few_cells.symbols)
    names = ["<pad>", *symbols[np.arange(len(symbols)) % 10 > 0].tolist(), "<cls>", "<eoc>"]
    (folder / "vocab.json").write_text(json.dumps({name: place for place, name in enumerate(names)}))
    sizes = {name: getattr(SCGPT_SHAPE, name) for name in SCGPT_SHAPE.__dataclass_fields__}
    (folder / "args.json").write_text(json.dumps(ARGS | sizes))
    state = drawn_state(SCGPT_SHAPE.tensors(len(names)), 0)
    flash = {name.replace("in_proj_", "Wqkv."): tensor for name, tensor in state.items()}
    torch.save(flash | {"flag_encoder.weight": torch.zeros(2, 32)}, folder / "best_model.pt")
    return folder


@pytest.fixture(scope="session")
def tiny_scgpt(scgpt_folder: Path) -> Callable[..., ScGPT]:
    """Return what loads the tiny scGPT."""

    def load(**options: object) -> ScGPT:
        model = load_scgpt("scgpt_human", weights=scgpt_folder, device="cpu", offline=True, **options)  # type: ignore[arg-type]
        assert isinstance(model, ScGPT)
        return model

    return load


def geneformer_files(folder: Path, dataset: Dataset, *, special: bool) -> Path:
    """Write a tiny Geneformer over the dataset's genes into ``folder``."""
    assert dataset.ensembl is not None
    genes = np.unique(dataset.ensembl).tolist()
    genes = [gene for place, gene in enumerate(genes) if place % 4]
    names = ["<pad>", "<mask>", *(("<cls>", "<eos>") if special else ()), *genes]
    shape = GeneformerShape(32, 4, 64, 3, 600, len(names), 2, 1e-12)
    suffix = "gc104M" if special else "gc30M"
    medians = np.random.default_rng(0).lognormal(1, 0.5, len(genes)).round(1)
    for kind, content in (
        ("token_dictionary", {name: np.int16(place) for place, name in enumerate(names)}),
        ("gene_median_dictionary", dict(zip(genes, medians, strict=True))),
        ("ensembl_mapping_dict", {gene: gene for gene in genes}),
        ("gene_name_id_dict", dict(zip(dataset.symbols.tolist(), dataset.ensembl.tolist(), strict=True))),
    ):
        (folder / f"{kind}_{suffix}.pkl").write_bytes(pickle.dumps(content))
    sizes = {name: getattr(shape, name) for name in shape.__dataclass_fields__}
    config = {"model_type": "bert", "hidden_act": "relu", "pad_token_id": 0} | sizes
    (folder / "config.json").write_text(json.dumps(config))
    save_file(drawn_state(shape.tensors(), 0), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def geneformer_folders(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders with tiny Geneformers, without special tokens (V1) and with them (V2)."""
    return {
        "geneformer_v1_10m": geneformer_files(tmp_path_factory.mktemp("v1"), few_cells, special=False),
        "geneformer_v2_104m": geneformer_files(tmp_path_factory.mktemp("v2"), few_cells, special=True),
    }


@pytest.fixture(scope="session")
def tiny_geneformer(
    geneformer_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Geneformer]:
    """Return what loads a tiny Geneformer by name."""
    cache = tmp_path_factory.mktemp("cache")

    def load(name: str = "geneformer_v1_10m", **options: object) -> Geneformer:
        folder = geneformer_folders[name]
        model = load_geneformer(name, weights=folder, device="cpu", offline=True, cache=cache, **options)  # type: ignore[arg-type]
        assert isinstance(model, Geneformer)
        return model

    return load


@pytest.fixture(scope="session")
def scimilarity_folder(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny SCimilarity."""
    return write_scimilarity(tmp_path_factory.mktemp("scimilarity"), few_cells)


@pytest.fixture(scope="session")
def tiny_scimilarity(scimilarity_folder: Path) -> SCimilarity:
    """Return the tiny SCimilarity."""
    return load_scimilarity("scimilarity", weights=scimilarity_folder, device="cpu", offline=True)


@pytest.fixture(scope="session")
def uce_folder(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny UCE."""
    return write_uce(tmp_path_factory.mktemp("uce"), few_cells)


@pytest.fixture(scope="session")
def scbert_folder(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny scBERT."""
    return write_scbert(tmp_path_factory.mktemp("scbert"), few_cells)


@pytest.fixture(scope="session")
def genecompass_folder(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny GeneCompass."""
    return write_genecompass(tmp_path_factory.mktemp("genecompass"), few_cells)


@pytest.fixture(scope="session")
def tiny_genecompass(genecompass_folder: Path) -> GeneCompass:
    """Return the tiny GeneCompass."""
    return load_genecompass("genecompass", weights=genecompass_folder, device="cpu", offline=True)


@pytest.fixture(scope="session")
def scfoundation_folder(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny scFoundation."""
    return write_scfoundation(tmp_path_factory.mktemp("scfoundation"), few_cells)


@pytest.fixture(scope="session")
def tiny_scfoundation(scfoundation_folder: Path) -> ScFoundation:
    """Return the tiny scFoundation."""
    return load_scfoundation("scfoundation", weights=scfoundation_folder, device="cpu", offline=True)


@pytest.fixture(scope="session")
def gene2vec_folder(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with vectors of nine in ten of the cells' genes."""
    folder = tmp_path_factory.mktemp("gene2vec")
    names = known_symbols(few_cells)
    (folder / "genes.tsv").write_text("\n".join(names) + "\n")
    np.save(folder / "vectors.npy", np.random.default_rng(0).normal(0, 0.24, (len(names), 12)))
    return folder


@pytest.fixture(scope="session")
def tiny_gene2vec(gene2vec_folder: Path) -> Gene2vec:
    """Return the vectors as a model."""
    return load_gene2vec("gene2vec", weights=gene2vec_folder, device="cpu", offline=True)


@pytest.fixture(scope="session")
def own_folders(
    scgpt_folder: Path,
    geneformer_folders: dict[str, Path],
    scimilarity_folder: Path,
    uce_folder: Path,
    scbert_folder: Path,
    scfoundation_folder: Path,
    gene2vec_folder: Path,
    genecompass_folder: Path,
) -> dict[str, Path]:
    """Return the folder of a tiny checkpoint of each family."""
    return {
        "scgpt": scgpt_folder,
        "geneformer": geneformer_folders["geneformer_v1_10m"],
        "scimilarity": scimilarity_folder,
        "uce": uce_folder,
        "scbert": scbert_folder,
        "scfoundation": scfoundation_folder,
        "gene2vec": gene2vec_folder,
        "genecompass": genecompass_folder,
    }
