"""Mixing: what lies around a cell among the cells of other donors, its own type or not, its own batch or another.

A silhouette of batches rewards noise and dimensions: where no cell is near any other, no batch is. Shares of nearest
neighbours do not depend on scale or dimension, and their value under perfect mixing is known, so they are given as
multiples of it. Neighbours of another type count for nothing, so noise has little and two merged types have half.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from zsgate.metrics.cache import Part, Scored, cached_in_parts
from zsgate.metrics.cells import Cells, Codes, Floats
from zsgate.metrics.metric import Halves, LeaveOuts, Metric
from zsgate.metrics.mixing.apart import expected, kept_apart
from zsgate.metrics.neighbours.knn import Neighbours
from zsgate.metrics.removal import Mask, masks
from zsgate.models.embedding import Embedding
from zsgate.system.parallel.parts import Parts, runs
from zsgate.verdict.recipe import Recipe

MOST = 30  # nearest cells that are looked at
SHARE = 4  # at most one in so many of the cells of the own type, so that a rare one is not asked for more than it has
FEWEST = 10  # cells of a type, or it does not count: a share of fewer is chance


STEP = "neighbourhoods"  # where it is kept
RUN = 50_000  # cells whose neighbours are searched at a time
PARTS = ("knn_mixing", "knn_purity", "knn_mixing_halves", "knn_purity_halves", "by_type")


class Around(NamedTuple):
    """What lies around each cell of some, among the cells that may be its neighbours; each shape (n_cells,).

    Attributes
    ----------
    labels, batches
        Type and batch of the cell.
    other, own
        Share of its nearest cells that are of its type and of another batch, and of its type and its own batch.
    expected
        Share of other batches among all cells of its type that may be its neighbours; NaN where there is none.
    """

    labels: Codes
    batches: Codes
    other: Floats
    own: Floats
    expected: Floats

    @property
    def alike(self) -> Mask:
        """Of which cells others of their type may be neighbours."""
        return np.isfinite(self.expected)

    @property
    def mixable(self) -> Mask:
        """Of which cells others of their type, some of their batch and some of another, may be neighbours."""
        return np.asarray((self.expected > 0) & (self.expected < 1))


def neighbourhoods(embedding: Embedding, cells: Cells, recipe: Recipe) -> Part:
    """Return the columns of ``knn_mixing`` and ``knn_purity`` of each draw, and those of halves."""
    apart = kept_apart(cells)
    donors = "" if apart is None else hashlib.sha256(apart.tobytes()).hexdigest()

    n_nearest, spans = min(MOST, cells.n_cells - 1), runs(cells.n_cells, RUN)
    named = {
        f"draw {draw}, cells {start} to {stop}": (draw, (start, stop))
        for draw in range(len(embedding.draws))
        for start, stop in spans
    }

    def search(names: Sequence[str]) -> Iterator[tuple[Codes, Mask]]:
        for draw, some in groupby((named[name] for name in names), key=itemgetter(0)):
            nearest = Neighbours(embedding.draws[draw], n_nearest, apart)
            yield from (nearest.search(*span) for _, span in some)

    def compute(parts: Parts) -> Part:
        found: Part = {name: [] for name in PARTS}
        searched = parts.each(list(named), search)
        for draw, rows in enumerate(embedding.draws):
            near, there = zip(*searched[draw * len(spans) : (draw + 1) * len(spans)], strict=True)
            nearest = Neighbours(rows, n_nearest, apart, (np.concatenate(near), np.concatenate(there)))
            scores = np.array(list(_scores(nearest, cells))).T.tolist()
            for name, values in zip(("knn_mixing", "knn_purity"), scores, strict=True):
                found[name].append(values[: 1 + len(cells.names)])
                found[f"{name}_halves"].append(values[1 + len(cells.names) :])
            found["by_type"].append(_of_each_type(nearest, cells))
        return found

    return cached_in_parts(STEP, Scored(embedding, cells, recipe), __name__, compute, {"donors": donors})


def _scores(nearest: Neighbours, cells: Cells) -> Iterator[tuple[float, float]]:
    """Yield mixing and purity with everybody, without each unit, and of each half.

    Which types have enough cells is settled with everybody, so that none comes and goes with a donor.
    """
    types: list[Codes] = []
    for mask in chain(masks(cells), _in_halves(cells)):
        found = around(nearest, mask, cells)
        if not types:
            types = [_counted(found.labels[which]) for which in (found.mixable, found.alike)]
        yield _mixing(found, types[0]), _purity(found, types[1])


def _of_each_type(nearest: Neighbours, cells: Cells) -> list[float]:
    """Return the mixing of each type alone; NaN of one that has too few cells, or none that could mix."""
    found = around(nearest, np.ones(cells.n_cells, dtype=bool), cells)
    counted, last = set(_counted(found.labels[found.mixable]).tolist()), int(cells.labels.max())
    return [_mixing(found, np.array([each])) if each in counted else math.nan for each in range(last + 1)]


def _in_halves(cells: Cells) -> Iterator[Mask]:
    """Yield the cells of either half of each split of the units."""
    for pair in cells.halves:
        for half in pair:
            mask = np.zeros(cells.n_cells, dtype=bool)
            mask[half] = True
            yield mask


def around(nearest: Neighbours, remaining: Mask, cells: Cells) -> Around:
    """Return what lies around the cells that remain.

    Parameters
    ----------
    nearest
        Neighbours of each cell among those that are not kept apart from it.
    remaining
        Who remains, shape (n_cells,).
    cells
        Labels and batches.
    """
    n_alike, share = expected(cells, remaining, nearest.foreign)
    n_nearest = np.clip(n_alike // SHARE, 1, MOST)
    found, there = nearest.among(remaining)
    looked_at = there & (np.arange(found.shape[1]) < n_nearest[:, None])
    alike = looked_at & (cells.labels[found] == cells.labels[remaining, None])
    same = alike & (cells.batches[found] == cells.batches[remaining, None])
    own = same.sum(axis=1) / n_nearest
    return Around(cells.labels[remaining], cells.batches[remaining], alike.sum(axis=1) / n_nearest - own, own, share)


def _counted(labels: Codes) -> Codes:
    """Return the types that have enough cells."""
    return np.flatnonzero(np.bincount(labels) >= FEWEST)


def _weights(labels: Codes) -> Floats:
    """Return the weight of each cell where types weigh the same, and the cells of a type as well; their sum is 1."""
    types, of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(types) * sizes[of]))


def _purity(found: Around, types: Codes) -> float:
    here = found.alike & np.isin(found.labels, types)
    if not here.any():
        return math.nan
    return float(_weights(found.labels[here]) @ (found.own + found.other)[here])


def _mixing(found: Around, types: Codes) -> float:
    """Return how well batches mix: purity, less how far the share of other batches is from what is expected.

    It is taken of a batch as a whole, for around one cell chance favours one batch or the other. More of other batches
    than expected costs as much as less: where the cells of one batch are the nearest of everybody, or two batches lie
    side by side and avoid their own, nothing is mixed.
    """
    here = found.mixable & np.isin(found.labels, types)
    if not here.any():
        return math.nan
    weights, batches = _weights(found.labels[here]), found.batches[here]
    pure = np.bincount(batches, weights * (found.own + found.other)[here])
    others = np.bincount(batches, weights * found.other[here] / found.expected[here])
    return float(np.maximum(0, pure - np.abs(pure - others)).sum())


def _columns(name: str) -> LeaveOuts:
    return lambda embedding, cells, recipe, seeds: np.array(neighbourhoods(embedding, cells, recipe)[name])


def _in_each_half(name: str) -> Halves:
    return lambda *given: np.mean(np.array(neighbourhoods(*given)[name]), axis=0).reshape(-1, 2)


def _mixing_by_type(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.asarray(np.mean(neighbourhoods(embedding, cells, recipe)["by_type"], axis=0))


knn_mixing = Metric(
    "knn_mixing",
    "Mixing of batches among a cell's nearest: the share of its nearest cells of other donors (30, fewer for a rare "
    "type) that are of its type and of another batch, over that share if the type's batches were perfectly mixed; of a "
    "batch as a whole, where more than expected costs as much as less. Types weigh the same, and a type's cells. 0 to "
    "about 1, higher is better; perfect mixing has 0.9 or more, for chance favours one batch or the other. Within "
    "a type it is the alignment score of Butler et al. (2018), times purity. Scale and dimension do not change it. "
    "Noise has about the types' share, more than an embedding whose batches do not mix at all, and noise with types in "
    "it or merged types may have more than an honest embedding: so it counts only where knn_purity is no worse than "
    "the baseline's. Where few donors lie far apart it falls, too, and where batches are single donors, what sets "
    "donors apart counts as if batches did.",
    _columns("knn_mixing"),
    claim="batches",
    halves=_in_each_half("knn_mixing_halves"),
    by_type=_mixing_by_type,
    uses_batches=True,
)
knn_purity = Metric(
    "knn_purity",
    "Purity of a cell's nearest: the share of its nearest cells of other donors (30, fewer for a rare type) that are "
    "of its type; mean over the cells of a type, then over types. 0 to 1, higher is better, noise has about the types' "
    "share. Near 1 for most good embeddings: it says that types do not overlap, not how far apart they lie.",
    _columns("knn_purity"),
    claim="cell types",
    halves=_in_each_half("knn_purity_halves"),
    noise_loses=True,
    advisory=True,
)
