"""Distance pass: silhouettes of cell types and of batches with every exact leave-out, and nearest neighbours, at once.

The silhouette (Rousseeuw 1987) of a cell is ``(b - a) / max(a, b)``: ``a`` its mean distance to the others of
its cluster, ``b`` the mean distance to the nearest other cluster; 0 for a cell alone in its cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cache import MANY, Recent
from zsgate.metrics.cells import Cells, Codes, Floats
from zsgate.metrics.neighbours.backend import BACKEND
from zsgate.metrics.neighbours.block import Span
from zsgate.metrics.neighbours.distances import Positions, distance_blocks
from zsgate.metrics.neighbours.float32 import panel_of
from zsgate.metrics.neighbours.ties import copies
from zsgate.models.embedding import Embedding
from zsgate.system import arrays
from zsgate.system.parallel.parts import Parts, runs
from zsgate.system.sources import code_of
from zsgate.verdict.recipe import Recipe

if TYPE_CHECKING:
    from zsgate.metrics.neighbours.widths import Clusters


class Pass(NamedTuple):
    """What one distance pass over one draw gives.

    Attributes
    ----------
    asw
        Average silhouette width of the cell types scaled to 0..1, shape (n_columns,), the columns those of
        ``Cells.all_weights``: everybody, without each unit, all units alike, halves; NaN where undefined.
    label_widths
        The unscaled mean silhouette of each cell type's cells, shape (n_labels, n_columns); NaN where it has none.
    batch_score
        The paper's batch integration score, the same shape.
    neighbours
        The nearest other cells of each cell, shape (n_cells, n_nearest); among more copies of it than that, any.
    """

    asw: Floats
    label_widths: Floats
    batch_score: Floats
    neighbours: npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Layout:
    """Cells sorted by (label, batch, unit), and the groups that are runs of that order.

    ``group`` is that of each cell in this order.
    ``weights`` has a row for each group and a column as ``Cells.all_weights``: 1 where its unit is kept; ``sizes`` is
    the same times its number of cells, ``present`` that number where the weight is not 0.
    """

    order: Codes
    group: Codes
    starts: Positions
    labels: Codes
    batches: Codes
    weights: Floats
    sizes: Floats
    present: Floats

    @classmethod
    def of(cls, cells: Cells) -> _Layout:
        key = np.ravel_multi_index(
            (cells.labels, cells.batches, cells.units),
            (cells.labels.max() + 1, cells.batches.max() + 1, cells.units.max() + 1),
        )
        order = np.argsort(key, kind="stable")
        _, starts, group, counts = np.unique(key[order], return_index=True, return_inverse=True, return_counts=True)
        first = order[starts]
        weights = cells.all_weights[cells.units[first]]
        sizes, present = weights * counts[:, None], (weights > 0).astype(np.float64) * counts[:, None]
        return cls(order, group, starts, cells.labels[first], cells.batches[first], weights, sizes, present)

    @property
    def by_label(self) -> list[slice]:
        """The groups of each type."""
        return self.runs(self.labels, slice(0, len(self.starts)))

    @property
    def sizes_of_types(self) -> Floats:
        """Number of cells of each type, shape (n_labels, n_columns)."""
        return np.stack([self.sizes[run].sum(axis=0) for run in self.by_label])

    def runs(self, codes: Codes, within: slice) -> list[slice]:
        """Return the runs of equal ``codes`` among the groups ``within``."""
        edges = np.flatnonzero(np.diff(codes[within])) + 1 + within.start
        ends = [within.start, *edges.tolist(), within.stop]
        return [slice(*pair) for pair in pairwise(ends)]

    def clusters(self, runs: list[slice]) -> Clusters:
        """Return the clusters that consecutive runs of groups are."""
        from zsgate.metrics.neighbours.widths import Clusters

        groups = slice(runs[0].start, runs[-1].stop)
        of_groups = np.repeat(np.arange(len(runs)), [run.stop - run.start for run in runs])
        return Clusters(of_groups, self.weights[groups], np.stack([self.sizes[run].sum(axis=0) for run in runs]))


STEP = "pass"  # where it is kept
_Sums = tuple[Floats, Floats, npt.NDArray[np.int32]]
_PASSES: Recent[Pass] = Recent(8)


def pass_of_draw(embedding: Embedding, cells: Cells, recipe: Recipe, draw: int) -> Pass:
    """Return the distance pass over one draw of an embedding, which all metrics share."""
    n_nearest = neighbours_in_graph(cells, recipe)
    key = (embedding.digest, draw, cells.digest, n_nearest)
    return _PASSES.get(key, lambda: _kept(embedding, cells, draw, n_nearest))


def _kept(embedding: Embedding, cells: Cells, draw: int, n_nearest: int) -> Pass:
    """Return a pass; of many cells from the store where it was made before, in this run or another."""
    rows, store = embedding.draws[draw], embedding.store
    if store is None or cells.n_cells < MANY:
        return distance_pass(rows, cells, n_nearest)
    key = {
        "embedding": embedding.digest,
        "draw": draw,
        "cells": cells.digest,
        "nearest": n_nearest,
        "device": BACKEND.device,
        "code": code_of(__name__),
    }
    parts = Parts(store, STEP, key)
    found, _ = store.arrays(STEP, key, lambda: (list(distance_pass(rows, cells, n_nearest, parts)), {}))
    parts.drop()
    return Pass(*found)


def neighbours_in_graph(cells: Cells, recipe: Recipe) -> int:
    """Return how many other cells a cell is joined to: the recipe's number counts the cell itself, as scanpy's does."""
    return min(recipe.n_neighbors - 1, cells.n_cells - 1)


def distance_pass(rows: npt.NDArray[np.float32], cells: Cells, n_nearest: int, parts: Parts | None = None) -> Pass:
    """Return both silhouette scores with their leave-outs, and the nearest neighbours.

    Equal to computing the scores anew on the physically remaining cells. Memory does not grow with
    n_cells x n_units: each block of rows is reduced to sums over its cells.

    Parameters
    ----------
    rows
        Embedding, shape (n_cells, n_dimensions).
    cells
        Labels, batches and units of the rows.
    n_nearest
        Neighbours to find for each cell; 0 for the scores alone.
    parts
        Where what runs of cells come to is kept until all is there.
    """
    layout = _Layout.of(cells)
    ordered = arrays.take(rows, layout.order)
    panels = {f"cells {a} to {b}": (a, b) for a, b in runs(cells.n_cells, panel_of(len(layout.starts)))}

    def make(names: Sequence[str]) -> Iterator[_Sums]:
        yield from (_sums(ordered, cells, layout, panels[name], n_nearest) for name in names)

    widths, mixing, near = zip(*(parts or Parts()).each(list(panels), make), strict=True)
    neighbours = np.empty((cells.n_cells, n_nearest), dtype=np.int32)
    neighbours[layout.order] = np.concatenate(near)
    for copied in copies(rows, n_nearest) if n_nearest else ():
        neighbours[copied.cells] = copied.nearest(n_nearest)
    sums, sizes = np.sum(widths, axis=0), layout.sizes_of_types
    label_widths = np.divide(sums, sizes, out=np.full_like(sums, np.nan), where=sizes > 0)
    return Pass(_asw(sums.sum(axis=0), sizes), label_widths, _batch_score(np.sum(mixing, axis=0), layout), neighbours)


def _sums(rows: npt.NDArray[np.float32], cells: Cells, layout: _Layout, panel: Span, n_nearest: int) -> _Sums:
    """Return the weighted sums of both silhouettes over a panel of cells, and their neighbours.

    The sums are of each type and column, (n_labels, n_columns); rows and panel are in the order of the layout.
    """
    from zsgate.metrics.neighbours.widths import silhouettes  # it takes Numba's import

    by_label = layout.by_label
    types, batches = layout.clusters(by_label), [layout.clusters(layout.runs(layout.batches, run)) for run in by_label]
    borders = layout.starts[[run.start for run in by_label]]
    widths, mixing = np.zeros((2, len(by_label), cells.all_weights.shape[1]))
    near = np.empty((panel[1] - panel[0], n_nearest), dtype=np.int32)
    for block in distance_blocks(rows, layout.starts, borders, panel, n_nearest=n_nearest):
        here = layout.order[block.start : block.stop]
        near[block.start - panel[0] : block.stop - panel[0]] = layout.order[block.neighbours]
        label, group = int(cells.labels[here[0]]), layout.group[block.start : block.stop]
        run, weights, sums = (
            by_label[label],
            cells.all_weights[cells.units[here]],
            np.ascontiguousarray(block.sums.T),
        )
        of_types = silhouettes(sums, types, types.of_groups[group], weights, block.rounding)
        own = batches[label].of_groups[group - run.start]
        of_batches = silhouettes(sums[run], batches[label], own, weights, block.rounding)
        widths[label] += (weights * of_types).sum(axis=0)
        mixing[label] += (weights * (1 - abs(of_batches))).sum(axis=0)
    return widths, mixing, near


def _asw(widths: Floats, sizes: Floats) -> Floats:
    """Return the scaled mean silhouette; NaN with fewer than two labels or none with two cells."""
    n_cells, n_labels = sizes.sum(axis=0), (sizes > 0).sum(axis=0)
    defined = (n_labels >= 2) & (n_labels < n_cells)
    mean = np.divide(widths, n_cells, out=np.full_like(widths, np.nan), where=defined)
    scaled: Floats = (mean + 1) / 2
    return scaled


def _batch_score(mixing: Floats, layout: _Layout) -> Floats:
    """Return the unweighted mean over labels of the mean of 1 - |s|; NaN where no label counts.

    A label counts when it has two batches and more cells than batches.
    """
    per_label = np.full_like(mixing, np.nan)
    for label, groups in enumerate(layout.by_label):
        sizes = np.stack([layout.sizes[run].sum(axis=0) for run in layout.runs(layout.batches, groups)])
        n_batches = (sizes > 0).sum(axis=0)
        defined = (n_batches >= 2) & (n_batches < layout.present[groups].sum(axis=0))
        np.divide(mixing[label], sizes.sum(axis=0), out=per_label[label], where=defined)
    n_labels = (~np.isnan(per_label)).sum(axis=0)
    total = np.nansum(per_label, axis=0)
    mean: Floats = np.divide(total, n_labels, out=np.full_like(total, np.nan), where=n_labels > 0)
    return mean
