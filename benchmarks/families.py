"""Time SCimilarity, scFoundation and Gene2vec a cell, the first two against upstream's code, in one run.

    python -m benchmarks.families --scimilarity FOLDER --scfoundation FOLDER [--cells 4]

The folders are those that tests/golden/make_scimilarity.py and make_scfoundation.py ask for. Random weights at the
published shapes, real cells; CPU seconds of a thread, sides taking turns, and the largest difference between the rows.
Upstream's preparation of the cells is not timed, zsgate's is. scFoundation is timed without its decoder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.checkpoints import SCIMILARITY, make_gene2vec, make_scfoundation, make_scimilarity
from benchmarks.inference import in_turn, long_cells, row
from zsgate.data.dataset import Dataset
from zsgate.models import load
from zsgate.models.pretrained.gene_order import log_normalise
from zsgate.testing import some_cells


def scimilarity_rows(folder: Path, clone: Path, cells: Dataset) -> None:
    sys.path.insert(0, str(clone))
    from nn_models import Encoder

    model = load("scimilarity", weights=make_scimilarity(folder, None))
    upstream = Encoder(SCIMILARITY.n_genes, SCIMILARITY.latent, list(SCIMILARITY.hidden))
    upstream.load_state_dict(model.state, strict=False)  # type: ignore[attr-defined]
    upstream.eval()
    genes = model.genes  # type: ignore[attr-defined]
    values = log_normalise(genes.align(cells.counts, genes.columns(cells.symbols)))
    found = {}

    @torch.inference_mode()
    def theirs() -> None:
        found["up"] = upstream(torch.Tensor(values.toarray())).numpy()

    took = in_turn({"up": theirs, "us": partial(model.embed, cells)})
    row("SCimilarity, upstream's encoder", took["up"], cells.n_cells)
    row("SCimilarity, zsgate, counts to rows", took["us"], cells.n_cells, took["up"])
    print(f"largest difference {np.abs(model.embed(cells) - found['up']).max():.1e}")


def scfoundation_rows(folder: Path, clone: Path, cells: Dataset) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "golden"))
    from make_scfoundation import upstream

    model = load("scfoundation", weights=make_scfoundation(folder, None), dtype="float32")
    network, _ = upstream(clone)
    network.load_state_dict(model.state, strict=False)  # type: ignore[attr-defined]
    tokens = model._tokeniser(cells)(0, cells.n_cells)  # type: ignore[attr-defined]
    found = {}

    @torch.inference_mode()
    def theirs() -> None:
        rows = []
        for start, stop in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True):
            values, ids = torch.tensor(tokens.values[None, start:stop]), torch.tensor(tokens.ids[None, start:stop])
            x = network.token_emb(values.unsqueeze(2), output_weight=0) + network.pos_emb(ids)
            out = network.encoder(x, torch.zeros(ids.shape, dtype=torch.bool))[0]
            rows.append(torch.cat([out[-1], out[-2], out[:-2].amax(0), out[:-2].mean(0)]).numpy())
        found["up"] = np.stack(rows)

    half = load("scfoundation", weights=folder, dtype="bfloat16")
    took = in_turn({"up": theirs, "us": partial(model.embed, cells), "half": partial(half.embed, cells)})
    length = f"{tokens.lengths.mean():,.0f} tokens"
    row(f"scFoundation, upstream's encoder, {length}", took["up"], cells.n_cells)
    row("scFoundation, zsgate float32", took["us"], cells.n_cells, took["up"])
    row("scFoundation, zsgate bfloat16", took["half"], cells.n_cells, took["up"])
    print(f"largest difference {np.abs(model.embed(cells) - found['up']).max():.1e} of {np.abs(found['up']).max():.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scimilarity", type=Path, required=True)
    parser.add_argument("--scfoundation", type=Path, required=True)
    parser.add_argument("--cells", type=int, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        many = some_cells(500)
        scimilarity_rows(Path(place) / "scimilarity", asked.scimilarity, many)
        vectors = load("gene2vec", weights=make_gene2vec(Path(place) / "gene2vec", None))
        row("Gene2vec, zsgate, counts to rows", in_turn({"us": partial(vectors.embed, many)})["us"], many.n_cells)
        for n_genes in (550, 1100):
            cells = long_cells(asked.cells, n_genes)
            scfoundation_rows(Path(place) / "scfoundation", asked.scfoundation, cells)


if __name__ == "__main__":
    main()
