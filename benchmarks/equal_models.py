"""Equal models: pools of embeddings of real cells that are equally good in expectation, each scored once.

Every member of a pool is the same 50 principal components plus random effects of one distribution, so over donors and
cells no member is better than another: whoever is called better is called so by mistake. Refits of scVI are equal
because only the seed differs, and so are untrained twins: random projections, one of which stands for the candidate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.baselines import pca
from zsgate.baselines.scvi import baseline as scvi
from zsgate.data.annotations import Columns
from zsgate.data.catalogue.load import load
from zsgate.data.dataset import Dataset
from zsgate.data.read import read_h5ad
from zsgate.metrics import METRICS
from zsgate.models.embedding import Embedding
from zsgate.system.sources import code_of
from zsgate.system.store import Store
from zsgate.verdict.score import Score

NAMES = ("asw", "nmi", "ari", "avg_bio", "knn_mixing", "knn_purity", "batch_score")
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Setting:
    """A pool: which cells, what differs between its members, and by how much (in standard deviations).

    ``sides`` says how many members each side of a pair is the mean of.
    """

    name: str
    cells: str
    effect: str
    level: float = 0.5
    sides: tuple[int, int] = (1, 1)


SETTINGS = (
    Setting("20 donors, cell noise", "pancreas_20", "cell noise"),
    Setting("20 donors, donor shifts", "pancreas_20", "donor shifts"),
    Setting("20 donors, donor noise scales 0.25", "pancreas_20", "donor noise scales", 0.25),
    Setting("20 donors, donor noise scales 0.5", "pancreas_20", "donor noise scales", 0.5),
    Setting("20 donors, donor noise scales 1", "pancreas_20", "donor noise scales", 1.0),
    Setting("6 donors, cell noise", "pancreas_6", "cell noise"),
    Setting("6 donors, donor shifts", "pancreas_6", "donor shifts"),
    Setting("6 donors, donor noise scales 0.25", "pancreas_6", "donor noise scales", 0.25),
    Setting("6 donors, donor noise scales 0.5", "pancreas_6", "donor noise scales", 0.5),
    Setting("6 donors, donor noise scales 1", "pancreas_6", "donor noise scales", 1.0),
    Setting("6 donor-stimulus pairs, cell noise", "kang_6", "cell noise"),
    Setting("6 donor-stimulus pairs, donor shifts", "kang_6", "donor shifts"),
    Setting("6 donor-stimulus pairs, donor noise scales 0.25", "kang_6", "donor noise scales", 0.25),
    Setting("6 donor-stimulus pairs, donor noise scales 0.5", "kang_6", "donor noise scales", 0.5),
    Setting("6 donor-stimulus pairs, donor noise scales 1", "kang_6", "donor noise scales", 1.0),
    Setting("20 donors, refits of scVI", "pancreas_20", "scvi", sides=(3, 3)),  # as many as in a run
    Setting("20 donors, untrained twins", "pancreas_20", "projection", sides=(1, 3)),  # exchangeable
)


@dataclass(frozen=True, slots=True)
class Member:
    """What one embedding of a pool earned: a score a metric, and the silhouette of each cell."""

    scores: dict[str, Score]
    widths: npt.NDArray[np.float64]


def cells_of(name: str, kang: Path | None) -> Dataset:
    """Return 1,500 cells of the pancreas, all of its 6 largest donors, or 1,500 of Kang et al., donor x stimulus."""
    if name == "pancreas_20":
        return load("pancreas_quick")
    if name == "pancreas_6":
        whole = load("pancreas_hormone2cell")
        donors, sizes = np.unique(whole.donors, return_counts=True)
        largest = donors[np.argsort(sizes)[-6:]]
        return whole.subset(np.flatnonzero(np.isin(whole.donors, largest)))
    if kang is None:
        msg = "the settings of Kang et al. need --kang FILE"
        raise FileNotFoundError(msg)
    columns = Columns(label="cell_type", batch="batch", donor="donor_stim", counts="X")
    whole = read_h5ad(kang, "kang", columns)
    some = np.sort(np.random.default_rng(0).permutation(whole.n_cells)[:1500])
    return whole.subset(some)


def moved(base: Rows, units: npt.NDArray[np.intp], setting: Setting, member: int) -> Rows:
    """Return ``base`` with the random effects of one member, in standard deviations of a dimension."""
    rng = np.random.default_rng([member, len(setting.name), *map(ord, setting.name)])
    n_units, unit = int(units.max()) + 1, np.sqrt(base.var(axis=0).mean())
    noise = rng.normal(size=base.shape)
    if setting.effect == "cell noise":
        effect = setting.level * noise
    elif setting.effect == "donor shifts":
        effect = setting.level * rng.normal(size=(n_units, base.shape[1]))[units] + 0.25 * noise
    else:  # every donor is measured with a noise of its own
        effect = 0.5 * np.exp(setting.level * rng.normal(size=n_units))[units, None] * noise
    return (base + unit * effect).astype(np.float32)


def projection(dataset: Dataset, member: int) -> Rows:
    """Return the log counts on 64 random axes."""
    axes = np.random.default_rng(member).normal(size=(dataset.counts.shape[1], 64))
    return np.asarray(dataset.counts.log1p() @ axes, dtype=np.float32)


def refits(dataset: Dataset, n_refits: int, store: Store) -> tuple[Rows, ...]:
    """Return scVI trained so often by the default recipe's schedule."""
    key = {"dataset": dataset.digest, "n": n_refits, "code": code_of(scvi.__name__)}
    draws, _ = store.arrays("refits", key, lambda: scvi.embed(dataset, seeds=n_refits, schedule="levels_off"))
    return draws


def pool(setting: Setting, n_members: int, kang: Path | None, store: Store) -> Iterator[Member]:
    """Yield the members of a pool; what was scored once is kept in the store."""
    dataset = cells_of(setting.cells, kang)
    if setting.effect == "scvi":
        embeddings: Iterable[Rows] = refits(dataset, n_members, store)
    elif setting.effect == "projection":
        embeddings = (projection(dataset, member) for member in range(n_members))
    else:
        base = np.asarray(pca.embed(dataset)[0][0], dtype=np.float32)
        units = np.unique(dataset.donors, return_inverse=True)[1]
        embeddings = (moved(base, units, setting, member) for member in range(n_members))
    for rows in embeddings:
        yield _scored(rows, dataset, store, clusterings=1 if setting.effect == "scvi" else 5)


def kept_scores(rows: Rows, dataset: Dataset, store: Store, clusterings: int) -> dict[str, Score]:
    """Return the scores of an embedding by the metrics of the calibration, kept in the store."""
    embedding = Embedding.of(rows)

    def compute() -> dict[str, Any]:
        return {name: asdict(METRICS[name](embedding, dataset, seeds=clusterings)) for name in NAMES}

    code = code_of("zsgate.metrics")
    key = {"rows": embedding.digest, "cells": dataset.cells_digest, "n": clusterings, "code": code}
    return {name: Score(**fields) for name, fields in store.json("scores", key, compute).items()}


def _scored(rows: Rows, dataset: Dataset, store: Store, clusterings: int) -> Member:
    def compute() -> list[float]:
        from sklearn.metrics import silhouette_samples

        widths = (silhouette_samples(rows.astype(np.float64), dataset.cell_types) + 1) / 2
        return list(widths.round(6).tolist())

    key = {"rows": Embedding.of(rows).digest, "cells": dataset.cells_digest}
    widths = store.json("widths", key, compute)
    return Member(kept_scores(rows, dataset, store, clusterings), np.array(widths))
