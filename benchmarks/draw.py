"""What scoring 20,000 cells instead of all of them costs: variance that the draw adds, and verdicts that it changes.

    python -m benchmarks.draw --cache FOLDER [--kang FILE] [--cells 100000] [--draws 12]

Made cells of the 14 + 6 donors of ``pancreas_hormone2cell`` (``benchmarks.made``) are judged whole and in draws of
20,000, those of Kang et al. (5,067, donor x stimulus) in draws of 1,500. "Scored": every method embeds all cells once,
as a model does that looks at one cell at a time. "Anew": HVG and PCA are computed on the cells of the draw, as a run
does, so that what they learn differs as well. scVI is trained once on as many cells as are drawn, and embeds all.
Beside the variance of a difference over draws stands what the verdict says that new donors would add (its variance
without the seeds), both summed over the pairs of methods; a verdict is clear where the whole passes or loses with at
least 1.5 times the difference that decides.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import numpy as np
import numpy.typing as npt

from benchmarks.equal_models import NAMES, kept_scores, projection
from benchmarks.made import enlarged
from zsgate.baselines import hvg, pca
from zsgate.data.annotations import Columns
from zsgate.data.catalogue.load import load
from zsgate.data.catalogue.sample import draw_within_donors
from zsgate.data.dataset import Dataset
from zsgate.data.preprocess import highly_variable
from zsgate.data.read import read_h5ad
from zsgate.system.store import Store
from zsgate.verdict.score import Score
from zsgate.verdict.verdict import Verdict, judge

CLEAR = 1.5  # in units of the difference that decides
SEEDS = 5  # clusterings
Rows = npt.NDArray[np.float32]
Scores = dict[str, dict[str, Score]]  # by method and metric


@dataclass(frozen=True, slots=True)
class Comparison:
    """One pair of methods by one metric: the verdict on all cells, and those on draws."""

    metric: str
    whole: Verdict
    draws: list[Verdict]

    @property
    def added(self) -> float:
        """Variance of the difference over draws."""
        return float(np.var([verdict.difference for verdict in self.draws], ddof=1))

    @property
    def donors(self) -> float:
        """Variance that new donors would add to the difference on all cells."""
        assert self.whole.variance is not None
        return self.whole.variance.sample

    @property
    def clear(self) -> bool:
        """Whether the verdict on all cells is far from the other one, in either direction."""
        assert self.whole.interval is not None
        low, high = self.whole.interval
        return abs(self.whole.difference) >= CLEAR * (high - low) / 2

    @property
    def agreeing(self) -> float:
        """Share of the draws whose verdict is that on all cells."""
        return float(np.mean([verdict.outcome == self.whole.outcome for verdict in self.draws]))


def methods(dataset: Dataset, latent: Rows) -> Iterator[tuple[str, Rows]]:
    """Yield embeddings of different worth; ``latent`` is scVI's of these cells."""
    components = pca.embed(dataset)[0][0]
    yield "hvg_500", np.ascontiguousarray(hvg.embed(dataset, on="counts")[0][0][:, ::4])  # all take four times as long
    yield "pca", components
    yield "pca_10", np.ascontiguousarray(components[:, :10])
    yield "projection", projection(dataset, 0)
    yield "scvi", latent


def scores(dataset: Dataset, embeddings: Iterable[tuple[str, Rows]], store: Store) -> Scores:
    """Return the score of each method by each metric, kept in the store."""
    return {name: kept_scores(rows, dataset, store, SEEDS) for name, rows in embeddings}


def trained(dataset: Dataset, n_cells: int, store: Store) -> Rows:
    """Return the latent of all cells by scVI, trained on so many of them."""

    def train() -> tuple[list[Rows], dict[str, Any]]:
        import anndata
        import pandas as pd
        import scvi

        scvi.settings.seed = 0
        rows = draw_within_donors(dataset, n_cells)
        adata = anndata.AnnData(dataset.counts[:, highly_variable(dataset)])
        adata.obs["batch"] = pd.Categorical(np.asarray(dataset.batches).astype(object))
        some = adata if rows is None else adata[rows].copy()
        scvi.model.SCVI.setup_anndata(some, batch_key="batch")
        model = scvi.model.SCVI(some, n_layers=2, n_latent=30, gene_likelihood="nb")
        epochs = max(20, round(20_000 / some.n_obs * 20))
        model.train(max_epochs=epochs, batch_size=512, accelerator="cpu", enable_progress_bar=False)
        return [np.asarray(model.get_latent_representation(adata), dtype=np.float32)], {}

    (rows,), _ = store.arrays("latent", {"dataset": dataset.digest, "n": n_cells}, train)
    return np.asarray(rows)


def compared(whole: Dataset, n_cells: int, n_draws: int, store: Store) -> dict[str, list[Comparison]]:
    """Return every pair of methods by every metric, on all cells and on draws of ``n_cells``, scored and anew."""
    latent = trained(whole, n_cells, store)
    embeddings = list(methods(whole, latent))
    everybody = scores(whole, embeddings, store)
    drawn: dict[str, list[Scores]] = {"scored": [], "anew": []}
    for seed in range(n_draws):
        rows = draw_within_donors(whole, n_cells, seed)
        assert rows is not None
        some = whole.subset(rows)
        drawn["scored"].append(scores(some, [(name, each[rows]) for name, each in embeddings], store))
        drawn["anew"].append(scores(some, methods(some, latent[rows]), store))
        print(f"{whole.name}: {seed + 1} of {n_draws} draws", flush=True)
    pairs = [(pair, metric) for pair in combinations(everybody, 2) for metric in NAMES]
    return {
        how: [Comparison(metric, *_verdicts(metric, pair, everybody, each)) for pair, metric in pairs]
        for how, each in drawn.items()
    }


def _verdicts(metric: str, pair: tuple[str, str], whole: Scores, drawn: list[Scores]) -> tuple[Verdict, list[Verdict]]:
    ours, theirs = pair
    of_all, *of_draws = [judge(each[ours][metric], each[theirs][metric]) for each in (whole, *drawn)]
    return of_all, of_draws


def table(name: str, found: dict[str, list[Comparison]]) -> Iterator[str]:
    """Yield the rows of the table: one a metric, for either way."""
    for how, metric in product(found, NAMES):
        some = [each for each in found[how] if each.metric == metric]
        ratio = sum(each.added for each in some) / sum(each.donors for each in some)
        worst = max(each.added / each.donors for each in some)
        clear = [each for each in some if each.clear]
        agree = f"{100 * np.mean([each.agreeing for each in clear]):.1f} % of {len(clear)}" if clear else "none clear"
        decided = [v.outcome for each in some for v in each.draws]
        turned = sum({v.outcome, each.whole.outcome} == {"beats", "loses"} for each in some for v in each.draws)
        moved = np.mean([np.mean([v.difference for v in each.draws]) - each.whole.difference for each in some])
        added = f"{100 * ratio:.1f} % | {100 * worst:.1f} %"
        yield f"| {name}, {how} | {metric} | {added} | {agree} | {turned} of {len(decided)} | {moved:+.4f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--kang", type=Path)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=12)
    asked = parser.parse_args()
    store = Store(asked.cache)
    lines = [
        "| cells | metric | variance the draw adds, of the donors' | worst pair | clear verdicts that agree | "
        "turned around | mean shift |",
        "|---|---|---|---|---|---|---|",
    ]
    if asked.kang is not None:
        columns = Columns(label="cell_type", batch="batch", donor="donor_stim", counts="X")
        kang = read_h5ad(asked.kang, "kang", columns)
        lines += table(f"kang, {kang.n_cells:,} to 1,500", compared(kang, 1500, asked.draws, store))
    if asked.cells:
        made = enlarged(load("pancreas_hormone2cell"), asked.cells)
        lines += table(f"made, {made.n_cells:,} to 20,000", compared(made, 20_000, asked.draws, store))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
