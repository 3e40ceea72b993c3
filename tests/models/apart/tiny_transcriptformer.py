"""Run in transcriptformer's environment: write a small untrained checkpoint, and rows by the authors' inference.

``python tiny_transcriptformer.py FOLDER GENES CELLS``: the folder to write, a file of Ensembl ids, an ``.h5ad``.
"""

import json
import sys
from pathlib import Path

import anndata
import numpy as np
import torch
from omegaconf import OmegaConf
from transcriptformer.cli import inference as command
from transcriptformer.model.inference import run_inference
from transcriptformer.model.model import Transcriptformer
from transcriptformer.tokenizer.vocab import SPECIAL_TOKENS, load_vocabs_and_embeddings
from transcriptformer.utils.utils import save_as_hdf5

folder, ids = Path(sys.argv[1]), Path(sys.argv[2]).read_text().split()
data = {"aux_cols": "assay", "pin_memory": False, "pad_zeros": True, "gene_pad_token": "[PAD]"}
data |= {"aux_pad_token": "unknown", "esm2_mappings": ["human.h5"], "special_tokens": SPECIAL_TOKENS}
shape = {"log_counts_eps": 1e-6, "num_heads": 4, "num_layers": 2, "model_dim": 64, "embed_dim": 64, "dropout": 0.1}
shape |= {"activation": "gelu", "attn_bias": False, "fw_bias": False, "mu_link_fn": "softmax", "softcap": 10}
shape |= {"seq_len": 255, "aux_len": 1, "block_len": 128, "gene_head_hidden_dim": 64, "compile_block_mask": False}
model = {
    "data_config": data,
    "model_config": shape,
    "loss_config": {"gene_id_loss_weight": 1.0, "softplus_approx": True},
}
(folder / "vocabs").mkdir(parents=True)
(folder / "config.json").write_text(json.dumps({"model": model}))
(folder / "vocabs" / "assay_vocab.json").write_text(json.dumps({"unknown": 0, "10x 3' v3": 1}))
vectors = np.random.default_rng(0).normal(size=(len(ids), 32)).astype(np.float32)
save_as_hdf5(dict(zip(ids, vectors, strict=True)), folder / "vocabs" / "human.h5")

usual = OmegaConf.load(Path(command.__file__).parent / "conf" / "inference_config.yaml")
run = {"device": "cpu", "precision": "32", "obs_keys": ["assay"], "load_checkpoint": str(folder / "model_weights.pt")}
config = OmegaConf.merge({"model": model}, usual, {"model": {"inference_config": run}})
config.model.data_config.aux_vocab_path = config.model.data_config.esm2_mappings_path = str(folder / "vocabs")
(genes, assays), esm2 = load_vocabs_and_embeddings(config)
parts = [config.model[f"{name}_config"] for name in ("data", "model", "loss", "inference")]
torch.manual_seed(1)
torch.save(Transcriptformer(*parts, genes, assays, esm2).state_dict(), folder / "model_weights.pt")
cells = anndata.read_h5ad(sys.argv[3])
cells.obs["assay"] = "unknown"
np.save(folder.parent / "rows.npy", run_inference(config, [cells]).obsm["embeddings"])
