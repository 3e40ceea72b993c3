"""TranscriptFormer: the mean over a cell's genes of their contextual embeddings, by the authors' own package.

``python worker.py WEIGHTS DEVICE``, in float32 on a CPU, in float16 on CUDA, which is the authors' default.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from omegaconf import OmegaConf
from transcriptformer.cli import inference
from transcriptformer.data.dataclasses import BatchData
from transcriptformer.data.dataloader import AnnDataset
from transcriptformer.model.model import Transcriptformer
from transcriptformer.tokenizer.vocab import load_vocabs_and_embeddings
from zsgate_worker import serve

folder, device = Path(sys.argv[1]), sys.argv[2]
sha256 = [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in sorted(folder.rglob("*.*"))]
usual = OmegaConf.load(Path(inference.__file__).parent / "conf" / "inference_config.yaml")
config = OmegaConf.merge(json.loads((folder / "config.json").read_text()), usual).model
config.data_config.aux_vocab_path = config.data_config.esm2_mappings_path = str(folder / "vocabs")
config.model_config.compile_block_mask = device == "cuda"  # flex attention compiles for CUDA alone
(genes, assays), esm2 = load_vocabs_and_embeddings(OmegaConf.create({"model": config}))
parts = [*(config[f"{each}_config"] for each in ("data", "model", "loss", "inference")), genes, assays, esm2]


def embedder(model):
    model = model.eval().to(device)

    def embed(cells, batch_size=8):
        data, adata = config.data_config, cells.to_anndata()
        adata.obs[list(assays or ())] = "unknown"  # which the model leaves out of its attention
        given = {key: data[key] for key in ("pad_zeros", "sort_genes", "clip_counts", "normalize_to_scale")}
        given |= {"filter_to_vocab": data.filter_to_vocabs, "pad_token": data.gene_pad_token, "use_raw": False}
        tokens = AnnDataset([adata], genes, aux_vocab=assays, max_len=config.model_config.seq_len, **given).data
        model.inference_config.batch_size, rows = batch_size, []
        every = {name: each for name, each in vars(tokens).items() if torch.is_tensor(each)}
        for start in range(0, len(cells.ids), batch_size):
            batch = BatchData(**{name: each[start : start + batch_size].to(device) for name, each in every.items()})
            with torch.autocast(device, torch.float16, enabled=device == "cuda"):
                rows.append(model.inference(batch)["embeddings"].float())
        return torch.cat(rows)

    return embed


def random_init(seed):
    torch.manual_seed(seed)
    return embedder(Transcriptformer(*parts))


trained = Transcriptformer(*parts)
trained.load_state_dict(torch.load(folder / "model_weights.pt", weights_only=True, map_location="cpu"))
about = {"name": f"transcriptformer ({folder.name})", "citation": "Pearce et al. 2025", "gene_ids": "ensembl"}
about |= {"code_licence": "MIT", "weights_licence": "MIT", "device": device, "weights": sha256}
about |= {"fingerprint": str(sha256), "dimensions": config.model_config.embed_dim}
serve(embedder(trained), random_init, independent_cells=True, stochastic=False, **about)
