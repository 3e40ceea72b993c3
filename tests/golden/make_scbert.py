"""Make scbert_outputs.npz with upstream's own code (TencentAILabHealthcare/scBERT, commit 262fd4b, GPL-3.0).

    python tests/golden/make_scbert.py PATH_TO_UPSTREAM_CLONE

It needs einops, and local_attention to import, and is an oracle only: nothing of it is in zsgate. Classes: four real
cells through scanpy as upstream's preprocess.py and pretrain.py call it, genes in the order of ``genes_in_order``.
Outputs: the mean and the last row of upstream's encodings, each cell alone, at the shape of the published checkpoint
(6 layers, 16,907 places) and at a small one, weights of ``drawn_state``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from drawn import drawn_state, genes_in_order

from zsgate.data.catalogue.load import load
from zsgate.models.families.scbert.network import PLACES, ScBERTShape, random_state

HERE = Path(__file__).parent
SMALL = ScBERTShape(dim=40, depth=2, hidden=160, n_features=266, n_places=700)
FULL = ScBERTShape(dim=200, depth=6, hidden=800, n_features=266, n_places=16_907)
SEED = 3


def scbert_weights(shape: ScBERTShape) -> dict[str, torch.Tensor]:
    """Return drawn weights, classes and places too, and random features as the paper draws them."""
    state = drawn_state(shape.tensors() | {PLACES: (shape.n_places, shape.dim)}, SEED)
    features = {name: each for name, each in random_state(shape, SEED).items() if "projection" in name}
    return {name: 4 * each if "emb" in name else features.get(name, each) for name, each in state.items()}


def classes() -> dict[str, np.ndarray]:
    import anndata as ad
    import scanpy as sc

    dataset = load("pancreas_quick")
    rows = np.array([0, 400, 800, 1200])
    order = genes_in_order(dataset.symbols.tolist(), FULL.n_places - 1)
    place = {symbol: column for column, symbol in reversed(list(enumerate(dataset.symbols.tolist())))}
    counts = np.zeros((len(rows), len(order)), np.float32)
    dense = dataset.counts[rows].toarray()
    for column, gene in enumerate(order):
        if gene in place:
            counts[:, column] = dense[:, place[gene]]
    cells = ad.AnnData(counts)
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells, base=2)
    found = np.minimum(cells.X, 5).astype(np.int8)
    return {"rows": rows, "classes": np.pad(found, ((0, 0), (0, 1)))}


def outputs(shape: ScBERTShape, classes: np.ndarray) -> np.ndarray:
    from performer_pytorch import performer_pytorch as upstream

    class Places(torch.nn.Module):
        """Upstream's positions without the file of gene2vec that it reads."""

        def __init__(self, dim: int, n: int) -> None:
            super().__init__()
            self.emb = torch.nn.Embedding(n, dim)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.emb.weight[: x.shape[1]]

    upstream.Gene2VecPositionalEmbedding = Places
    model = upstream.PerformerLM(
        num_tokens=7, dim=shape.dim, depth=shape.depth, max_seq_len=shape.n_places, heads=10, g2v_position_emb=True
    ).eval()
    missing, unknown = model.load_state_dict(scbert_weights(shape), strict=False)
    assert not unknown
    assert all(name.startswith(("to_out", "performer.calls")) for name in missing)
    found = []
    for cell in classes[:, -shape.n_places :]:
        with torch.no_grad():
            encoded = model(torch.from_numpy(cell).long()[None], return_encodings=True)[0]
        found.append(torch.stack([encoded.mean(0), encoded[-1]]).numpy())
    return np.stack(found)


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    found = classes()
    small, full = (outputs(shape, found["classes"]) for shape in (SMALL, FULL))
    np.savez_compressed(HERE / "scbert_outputs.npz", **found, small=small, full=full)


if __name__ == "__main__":
    main()
