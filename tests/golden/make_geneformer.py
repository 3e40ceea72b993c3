"""Make geneformer_outputs.npz and geneformer_tokens_v{1,2}.npz with code of others.

    python tests/golden/make_geneformer.py PATH_TO_UPSTREAM_CLONE FOLDER_OF_DICTIONARIES

Outputs: transformers' BertForMaskedLM at the shape of V1-10M, weights of ``drawn_state``. Tokens: real cells through
the TranscriptomeTokenizer of a clone of ctheodoris/Geneformer (2025, V1 and V2 dictionaries); they need the folders
geneformer_v1 and geneformer_v2 with the official dictionaries.
"""

from __future__ import annotations

import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch
from drawn import drawn_state

from zsgate.data.catalogue.load import load
from zsgate.models.families.geneformer.network import GeneformerShape

HERE = Path(__file__).parent
V1 = GeneformerShape(256, 4, 512, 6, 2048, 25_426, 2, 1e-12)
SEED = 5
LENGTHS = (2048, 333)


def outputs() -> dict[str, np.ndarray]:
    from transformers import BertConfig, BertForMaskedLM

    model = BertForMaskedLM(
        BertConfig(
            vocab_size=V1.vocab_size,
            hidden_size=V1.hidden_size,
            num_hidden_layers=V1.num_hidden_layers,
            num_attention_heads=V1.num_attention_heads,
            intermediate_size=V1.intermediate_size,
            max_position_embeddings=V1.max_position_embeddings,
            hidden_act="relu",
            layer_norm_eps=1e-12,
            pad_token_id=0,
            attn_implementation="eager",
        )
    )
    missing, unexpected = model.load_state_dict(drawn_state(V1.tensors(), SEED), strict=False)
    assert not unexpected
    assert all("decoder" in name for name in missing)
    model.tie_weights()
    model.eval()
    generator = np.random.Generator(np.random.PCG64(SEED))
    ids = np.zeros((len(LENGTHS), max(LENGTHS)), np.int64)
    for row, length in zip(ids, LENGTHS, strict=True):
        row[:length] = 2 + generator.permutation(V1.vocab_size - 2)[:length]
    with torch.no_grad():
        tokens = torch.from_numpy(ids)
        found = model(tokens, attention_mask=(tokens > 0).long(), output_hidden_states=True)
    hidden, logits = found.hidden_states[-2].numpy(), found.logits
    likelihood = logits.log_softmax(-1).gather(2, tokens[:, :, None])[:, :, 0].numpy()
    return {
        "ids": ids.astype(np.int32),
        "means": np.stack([row[:length].mean(0) for row, length in zip(hidden, LENGTHS, strict=True)]),
        "first": hidden[:, 0],
        "best": logits.argmax(-1).numpy().astype(np.int32),
        "log_probability": likelihood,
    }


def upstream_tokens(clone: Path, folder: Path, suffix: str, length: int) -> dict[str, np.ndarray]:
    package = types.ModuleType("geneformer")  # upstream's __init__ imports far more than the tokenizer
    package.__path__ = [str(clone / "geneformer")]
    for name in ("ENSEMBL_MAPPING_FILE", "GENE_MEDIAN_FILE", "TOKEN_DICTIONARY_FILE"):
        setattr(package, name, None)
    sys.modules["geneformer"] = package
    from geneformer.tokenizer import TranscriptomeTokenizer

    tokenizer = TranscriptomeTokenizer(
        {"row": "row"},
        model_input_size=length,
        special_token=suffix == "gc104M",
        gene_median_file=folder / f"gene_median_dictionary_{suffix}.pkl",
        token_dictionary_file=folder / f"token_dictionary_{suffix}.pkl",
        gene_mapping_file=folder / f"ensembl_mapping_dict_{suffix}.pkl",
    )
    dataset = load("pancreas_quick")
    rows = np.arange(0, dataset.n_cells, 60)
    cells = dataset.subset(rows).to_anndata()
    cells.obs["n_counts"] = np.asarray(cells.X.sum(axis=1)).ravel()
    cells.obs["row"] = rows
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "cells.h5ad"
        cells.write_h5ad(path)
        tokens, metadata = tokenizer.tokenize_anndata(path)
        table = tokenizer.create_dataset(tokens, {"row": metadata["row"]})
    ids = [np.asarray(each, dtype=np.int32) for each in table["input_ids"]]
    return {"rows": rows, "ids": np.concatenate(ids), "lengths": np.array([len(each) for each in ids])}


def main() -> None:
    np.savez_compressed(HERE / "geneformer_outputs.npz", **outputs())
    clone, weights = Path(sys.argv[1]), Path(sys.argv[2])
    for version, suffix, length in (("v1", "gc30M", 2048), ("v2", "gc104M", 4096)):
        found = upstream_tokens(clone, weights / f"geneformer_{version}", suffix, length)
        np.savez_compressed(HERE / f"geneformer_tokens_{version}.npz", **found)


if __name__ == "__main__":
    main()
