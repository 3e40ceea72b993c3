"""Make uce_sentences.npz and uce_outputs.npz with upstream's own code (snap-stanford/UCE, commit 8ead6e0).

    python tests/golden/make_uce.py PATH_TO_UPSTREAM_CLONE

Sentences: four real cells through upstream's sampler after numpy.random.seed(3); a gene's protein and its place are
those of :func:`made_places`. Outputs: upstream's model at the shape of the 4-layer checkpoint and at a small one,
weights of ``drawn_state``; a token's protein is row ``token % N_PROTEINS`` of a drawn table.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from drawn import drawn_state

from zsgate.data.catalogue.load import load
from zsgate.models.families.uce.network import BLOCKS, HEADS, UCEShape
from zsgate.models.transformer.state import Shapes

HERE = Path(__file__).parent
SMALL = UCEShape(d_protein=48, d_model=40, d_hid=80, n_layers=3, d_between=24, d_out=32, n_places=1536)
FULL = UCEShape(d_protein=5120, d_model=1280, d_hid=5120, n_layers=4, d_between=1024, d_out=1280, n_places=1536)
SEED, FIRST_PROTEIN, FIRST_CHROMOSOME, N_PROTEINS = 3, 4, 143_574, 997


def made_places(n_genes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the chromosome, one of 24, and the start of each gene, no two the same."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    return generator.integers(0, 24, n_genes), generator.permutation(10 * n_genes)[:n_genes]


def uce_weights(shape: UCEShape) -> dict[str, torch.Tensor]:
    """Return weights drawn for ``shape``, norms' around 1; positions are upstream's own."""
    shapes: Shapes = shape.tensors()
    state = drawn_state(shapes, SEED)
    for name in ("encoder.2.weight", *(f"decoder.{number}.1.weight" for number in range(BLOCKS))):
        state[name] += 1
    del state["pos_encoder.pe"]
    return state


def uce_proteins(shape: UCEShape) -> torch.Tensor:
    """Return a drawn table of proteins, (N_PROTEINS, d_protein)."""
    return drawn_state({"proteins": (N_PROTEINS, shape.d_protein)}, SEED + 1)["proteins"]


def sentences() -> dict[str, np.ndarray]:
    import pandas as pd
    from eval_data import sample_cell_sentences

    dataset = load("pancreas_quick")
    rows = np.array([0, 100, 200, 300])
    chromosomes, starts = made_places(len(dataset.symbols))
    tokens = torch.arange(len(dataset.symbols)) + FIRST_PROTEIN
    args = Namespace(
        pad_length=1536, sample_size=1024, cls_token_idx=3, CHROM_TOKEN_OFFSET=FIRST_CHROMOSOME,
        chrom_token_right_idx=2, pad_token_idx=0,
    )  # fmt: skip
    np.random.seed(SEED)  # noqa: NPY002 (upstream's generator)
    found = []
    for row in rows:
        counts = torch.tensor(dataset.counts[row].toarray()[0].astype(np.int64))[None]
        weights = torch.log1p(counts)
        weights = weights / torch.sum(weights)
        sentence, *_ = sample_cell_sentences(
            counts, weights, "made", args, {"made": tokens}, {"made": pd.Series(chromosomes).values}, {"made": starts}
        )
        found.append(sentence[0].numpy().astype(np.int32))
    return {"rows": rows, "ids": np.stack(found)}


def outputs(shape: UCEShape, ids: np.ndarray) -> np.ndarray:
    from model import TransformerModel

    model = TransformerModel(shape.d_protein, shape.d_model, HEADS, shape.d_hid, shape.n_layers, shape.d_out).eval()
    if shape.d_between != 1024:  # upstream's only width
        model.decoder[0][0] = torch.nn.Linear(shape.d_model, shape.d_between)
        model.decoder[0][1] = torch.nn.LayerNorm(shape.d_between)
        model.decoder[1][0] = torch.nn.Linear(shape.d_between, shape.d_out)
    missing, unknown = model.load_state_dict(uce_weights(shape), strict=False)
    assert not unknown
    assert all(name.startswith(("pos_", "binary_", "gene_")) for name in missing)
    table, rows = uce_proteins(shape), []
    for sentence in ids:
        sentence = torch.from_numpy(sentence[sentence > 0]).long()[:, None]
        proteins = torch.nn.functional.normalize(table[sentence % N_PROTEINS], dim=2)
        with torch.no_grad():
            rows.append(model(proteins, mask=torch.ones(1, len(sentence)))[1][0].numpy())
    return np.stack(rows)


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    found = sentences()
    np.savez_compressed(HERE / "uce_sentences.npz", **found)
    np.savez_compressed(HERE / "uce_outputs.npz", small=outputs(SMALL, found["ids"]), full=outputs(FULL, found["ids"]))


if __name__ == "__main__":
    main()
