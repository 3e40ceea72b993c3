"""CellPLM: the latent mean of each cell among all cells given, by the authors' own pipeline.

``python worker.py WEIGHTS DEVICE``. Cells are the tokens, so a row depends on the others; the cluster that the mean is
given is drawn by chance, also when the model is evaluated, so it depends on the seed as well.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from CellPLM.model import OmicsFormer
from CellPLM.pipeline.cell_embedding import CellEmbeddingPipeline
from zsgate_worker import serve

folder, device = Path(sys.argv[1]), sys.argv[2]
(checkpoint,) = folder.glob("*.best.ckpt")
name = checkpoint.name.removesuffix(".best.ckpt")
paths = [folder / f"{name}.config.json", checkpoint]
sha256 = [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in paths]


def refuse_left_out():
    """Refuse weights that the authors' loader leaves out in silence: absent, or of another shape."""
    held = torch.load(checkpoint, weights_only=True, map_location="cpu")["model_state_dict"]
    wanted = pipeline.model.state_dict()
    absent = [key for key, each in wanted.items() if key not in held or held[key].shape != each.shape]
    if absent:
        sys.exit(f"{checkpoint.name} does not hold {len(absent)} of the weights: {', '.join(absent[:5])}")


def embed(cells, seed=0):
    torch.manual_seed(seed)
    return pipeline.predict(cells.to_anndata(), device=device, ensembl_auto_conversion=False)


def random_init(seed):
    config = json.loads(paths[0].read_text()) | {"head_type": "embedder"}
    torch.manual_seed(seed)
    untrained = OmicsFormer(**config)

    def embed_untrained(cells, seed=0):
        pipeline.model, trained = untrained, pipeline.model
        try:
            return embed(cells, seed)
        finally:
            pipeline.model = trained

    return embed_untrained


pipeline = CellEmbeddingPipeline(name, pretrain_directory=str(folder))
refuse_left_out()
about = {"name": f"cellplm ({name})", "citation": "Wen et al. 2024", "gene_ids": "ensembl", "device": device}
about |= {"code_licence": "BSD-2-Clause", "weights_licence": "not stated", "weights": sha256}
about |= {"fingerprint": str(sha256), "dimensions": json.loads(paths[0].read_text())["post_latent_dim"]}
serve(embed, random_init, independent_cells=False, stochastic=True, **about)
