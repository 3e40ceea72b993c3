"""Make a full-size checkpoint with random weights in the official file format, to run the gate end to end.

    python -m benchmarks.checkpoints NAME FOLDER [--official FOLDER]
    pytest --model=NAME --weights=FOLDER -k hvg

writes the files of a model into FOLDER: scgpt_human (51.9 M parameters), geneformer_v1_10m (10.3 M), scimilarity
(31.1 M), scfoundation (the encoder's 99.9 M), gene2vec (3.4 M), uce_4l (100 M, and 144,000 proteins that are
overlapping pieces of one row of numbers), scbert_panglao (8 M) or genecompass_base (131.4 M, and prior knowledge of
such pieces). ``--official`` names a folder with the published
lists of genes (in ``scgpt_human/``, ``geneformer_v1/``, ``scimilarity/``, ``scfoundation/``, ``scbert/``); without it
they are made of the genes of the packaged pancreas dataset, filled up to the official size.
These models know nothing: the gate must say that they lose.
"""

from __future__ import annotations

import argparse
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.checkpoints_with_tables import filled, make_genecompass, make_scbert, make_uce, pancreas
from zsgate.models.families.geneformer import network as geneformer_network
from zsgate.models.families.geneformer.network import GeneformerShape
from zsgate.models.families.scfoundation import network as scfoundation_network
from zsgate.models.families.scfoundation.checkpoints import GENES
from zsgate.models.families.scfoundation.network import ScFoundationShape
from zsgate.models.families.scgpt import untrained
from zsgate.models.families.scgpt.network import ScGPTShape
from zsgate.models.families.scimilarity import network as scimilarity_network
from zsgate.models.families.scimilarity.network import SCimilarityShape

SCGPT = ScGPTShape(embsize=512, nheads=8, d_hid=512, nlayers=12, max_seq_len=1200)
SCGPT_ARGS = {
    "n_bins": 51, "pad_token": "<pad>", "pad_value": -2, "mask_value": -1, "input_style": "binned",
    "input_emb_style": "continuous", "n_layers_cls": 3, "dropout": 0.2, "MVC": True,
}  # fmt: skip
SCGPT_TOKENS = 60_697
GENEFORMER = GeneformerShape(256, 4, 512, 6, 2048, 25_426, 2, 1e-12)
SCIMILARITY = SCimilarityShape(28_231, (1024, 1024, 1024), 128)
SCFOUNDATION = ScFoundationShape(19_264, 768, 12, 12, 100, 1.0)
SCFOUNDATION_SETTINGS = {
    "encoder": {"hidden_dim": 768, "depth": 12, "heads": 12, "module_type": "transformer", "norm_first": False},
    "seq_len": 19_266, "bin_num": 100, "bin_alpha": 1.0, "pad_token_id": 103, "mask_token_id": 102,
}  # fmt: skip
GENE2VEC = (16_906, 200, 0.24)  # genes, dimensions, spread


def make_scgpt(folder: Path, official: Path | None, seed: int = 0, init: str = "independent") -> Path:
    """Write an untrained scgpt_human with flash-attention's names, as the published file has them.

    ``init="identical"`` is drawn as the twins of the preset ``paper`` are, all layers being copies of the first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if official is not None:
        shutil.copyfile(official / "scgpt_human" / "vocab.json", folder / "vocab.json")
    else:
        symbols = np.unique(pancreas().symbols).tolist()
        names = [*filled(symbols, SCGPT_TOKENS - 3), "<pad>", "<cls>", "<eoc>"]
        (folder / "vocab.json").write_text(json.dumps({name: place for place, name in enumerate(names)}))
    sizes = {name: getattr(SCGPT, name) for name in ScGPTShape.__dataclass_fields__}
    (folder / "args.json").write_text(json.dumps(SCGPT_ARGS | sizes, indent=2))
    state = untrained.random_state(SCGPT, SCGPT_TOKENS, seed, init)
    flash = {name.replace("self_attn.in_proj_", "self_attn.Wqkv."): tensor for name, tensor in state.items()}
    torch.save(flash | {"flag_encoder.weight": torch.zeros(2, SCGPT.embsize)}, folder / "best_model.pt")
    return folder


def make_geneformer(folder: Path, official: Path | None, seed: int = 0) -> Path:
    """Write an untrained geneformer_v1_10m."""
    folder.mkdir(parents=True, exist_ok=True)
    if official is not None:
        for path in (official / "geneformer_v1").glob("*.pkl"):
            shutil.copyfile(path, folder / path.name)
    else:
        _made_dictionaries(folder)
    sizes = {name: getattr(GENEFORMER, name) for name in GeneformerShape.__dataclass_fields__}
    config = {"model_type": "bert", "hidden_act": "relu", "pad_token_id": 0, "architectures": ["BertForMaskedLM"]}
    (folder / "config.json").write_text(json.dumps(config | sizes, indent=2))
    save_file(geneformer_network.random_state(GENEFORMER, seed), folder / "model.safetensors")
    return folder


def make_scimilarity(folder: Path, official: Path | None, seed: int = 0) -> Path:
    """Write an untrained SCimilarity of v1.1's shape."""
    folder.mkdir(parents=True, exist_ok=True)
    _list_genes(folder / "gene_order.tsv", official and official / "scimilarity", SCIMILARITY.n_genes)
    state = scimilarity_network.random_state(SCIMILARITY, seed)
    (folder / "layer_sizes.json").write_text(json.dumps({name: list(each.shape) for name, each in state.items()}))
    torch.save({"state_dict": state}, folder / "encoder.ckpt")
    return folder


def make_scfoundation(folder: Path, official: Path | None, seed: int = 0) -> Path:
    """Write an untrained scFoundation without its decoder."""
    folder.mkdir(parents=True, exist_ok=True)
    _list_genes(folder / GENES, official and official / "scfoundation", SCFOUNDATION.n_genes, "gene_name\n")
    state = scfoundation_network.random_state(SCFOUNDATION, seed)
    config = {"model": "mae_autobin", "model_config": {"mae_autobin": SCFOUNDATION_SETTINGS}, "dataset_config": {}}
    part = {"config": config, "state_dict": {f"model.{name}": each for name, each in state.items()}}
    torch.save({"cell": part}, folder / "models.ckpt")
    return folder


def make_gene2vec(folder: Path, official: Path | None, seed: int = 0) -> Path:
    """Write random vectors of as many genes."""
    folder.mkdir(parents=True, exist_ok=True)
    n_genes, size, spread = GENE2VEC
    _list_genes(folder / "genes.tsv", None, n_genes)
    np.save(folder / "vectors.npy", np.random.default_rng(seed).normal(0, spread, (n_genes, size)))
    return folder


def _list_genes(path: Path, official: Path | None, size: int, header: str = "") -> None:
    if official is not None:
        shutil.copyfile(official / path.name, path)
        return
    dataset = pancreas()
    expressed = np.argsort(-np.asarray(dataset.counts.sum(axis=0)).ravel(), kind="stable")
    symbols = list(dict.fromkeys(dataset.symbols[expressed].tolist()))
    path.write_text(header + "\n".join(sorted(filled(symbols, size))) + "\n")


def _made_dictionaries(folder: Path) -> None:
    dataset = pancreas()
    expressed = np.argsort(-np.asarray(dataset.counts.sum(axis=0)).ravel(), kind="stable")
    genes = filled(dataset.ensembl[expressed].tolist(), GENEFORMER.vocab_size - 2)
    medians = np.random.default_rng(0).lognormal(0.7, 0.5, len(genes))
    names = dict(zip(dataset.symbols.tolist(), dataset.ensembl.tolist(), strict=True))
    for kind, content in (
        ("token_dictionary", {gene: place for place, gene in enumerate(["<pad>", "<mask>", *genes])}),
        ("gene_median_dictionary", dict(zip(genes, medians.tolist(), strict=True))),
        ("ensembl_mapping_dict", {gene: gene for gene in genes}),
        ("gene_name_id_dict", names),
    ):
        (folder / f"{kind}_gc30M.pkl").write_bytes(pickle.dumps(content))


MAKERS = {
    "scgpt_human": make_scgpt,
    "geneformer_v1_10m": make_geneformer,
    "scimilarity": make_scimilarity,
    "scfoundation": make_scfoundation,
    "gene2vec": make_gene2vec,
    "uce_4l": make_uce,
    "scbert_panglao": make_scbert,
    "genecompass_base": make_genecompass,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=MAKERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--official", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(MAKERS[asked.name](asked.folder, asked.official, asked.seed))


if __name__ == "__main__":
    main()
