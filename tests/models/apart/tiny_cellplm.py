"""Run in cellplm's environment: write a small untrained checkpoint, and rows by the authors' pipeline.

``python tiny_cellplm.py FOLDER GENES CELLS``: the folder to write, a file of Ensembl ids, an ``.h5ad``.
"""

import json
import sys
from pathlib import Path

import anndata
import numpy as np
import torch
from CellPLM.model import OmicsFormer
from CellPLM.pipeline.cell_embedding import CellEmbeddingPipeline

folder, ids = Path(sys.argv[1]), Path(sys.argv[2]).read_text().split()
# as ckpt/20230926_85M.config.json of the authors, but for the widths
config = {"gene_list": ids, "enc_mod": "flowformer", "enc_hid": 64, "enc_layers": 2, "latent_mod": "gmvae"}
config |= {"lamda": 5.0, "post_latent_dim": 32, "dec_mod": "nbmlp", "dec_hid": 64, "dec_layers": 2}
config |= {"model_dropout": 0.2, "mask_node_rate": 0.75, "mask_feature_rate": 0.25, "drop_node_rate": 0.3}
config |= {"norm": "groupnorm", "w_li": 5.0, "w_en": 5.0, "num_clusters": 16, "out_dim": len(ids), "cat_pe": False}
config |= {"max_batch_size": 4000, "dar": False, "input_covariate": False, "ecs": False, "dsbn": False, "dae": True}
config |= {"mask_beta": True, "batch_num": 7, "dataset_num": 3}
folder.mkdir()
(folder / "tiny.config.json").write_text(json.dumps(config))
torch.manual_seed(1)
torch.save({"model_state_dict": OmicsFormer(**config).state_dict()}, folder / "tiny.best.ckpt")
torch.manual_seed(0)
pipeline = CellEmbeddingPipeline("tiny", pretrain_directory=str(folder))
torch.manual_seed(0)
rows = pipeline.predict(anndata.read_h5ad(sys.argv[3]), ensembl_auto_conversion=False)
np.save(folder.parent / "rows.npy", rows.numpy())
