"""One pass: a model predicts a dataset's genes once, and all that metrics and figures need of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from tempfile import TemporaryFile
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset, effective_number
from zsgate.errors import BaselineFailed, CandidateFailed
from zsgate.metrics.reconstruction import figures
from zsgate.metrics.reconstruction.averages import Averages
from zsgate.metrics.reconstruction.groups import Groups
from zsgate.metrics.reconstruction.ranks import RankTally
from zsgate.metrics.reconstruction.result import CANDIDATE, WAYS, ReconstructionResult, Way
from zsgate.metrics.reconstruction.values import COPY, ValueTally
from zsgate.models.adapter import GenePredictor
from zsgate.models.reconstruction import Reconstruction
from zsgate.models.reconstruction.targets import refuse_untrue
from zsgate.system.progress import steps

T = TypeVar("T")
Sides = dict[str, dict[str, list[float]]]  # columns by statistic and side


class _Statistics(NamedTuple):
    """The fields of a ReconstructionResult that depend on the scale; see there."""

    columns: dict[Way, Sides]
    floor: dict[Way, float]
    copied: dict[str, float]
    described: dict[str, dict[str, float]]
    figures: figures.Figures


def one_pass(adapter: GenePredictor, dataset: Dataset, averages: Averages, masked: float = 0.0) -> ReconstructionResult:
    """Return what the candidate, the averages and a copy of the input make of a dataset's genes.

    The model runs once; its predictions are dropped window by window.

    Parameters
    ----------
    adapter
        A model with ``reconstruct(dataset, masked=..., seed=...)``.
    dataset
        Cells.
    averages
        What its predictions are compared with.
    masked
        Share of each cell's genes to hide.

    Raises
    ------
    CandidateFailed
        If the model leaves out a cell, gives one twice, hides another share, or gives what does not fit.
    BaselineFailed
        If an average cannot be fitted.
    """
    groups = Groups.of(dataset)
    with ExitStack() as held:
        tally: ValueTally | RankTally | None = None
        advance = held.enter_context(steps("predicting genes", dataset.n_cells, "cell"))
        for part in _checked(adapter, dataset, masked):
            if tally is None:
                tally = held.enter_context(_tally(part, groups, len(dataset.symbols), masked))
            tally.add(part)
            advance(len(part.cells))
        assert tally is not None
        if isinstance(tally, RankTally):
            found = _of_ranks(tally, averages)
        else:
            found = _of_values(tally, averages, list(part.predictions))
    of_cells, unit = dataset.units
    return ReconstructionResult(
        scale=part.scale,
        masked=masked,
        heads=tuple(head for head in found.copied if head != COPY),
        units=groups.units,
        unit=unit,
        n_effective=None if of_cells is None else effective_number(of_cells),
        groups=groups.kind,
        n_cells=dataset.n_cells,
        n_scored=int((tally.n_scored > 0).sum()),
        cells=dataset.cells_digest,
        **found._asdict(),
    )


@contextmanager
def _tally(first: Reconstruction, groups: Groups, n_genes: int, masked: float) -> Iterator[ValueTally | RankTally]:
    """Yield the tally of a scale; what it keeps on disk is dropped in the end."""
    if first.scale != "rank":
        yield ValueTally(groups, n_genes, masked)
        return
    with TemporaryFile() as spool:
        yield RankTally(groups, masked, spool)


def _checked(adapter: GenePredictor, dataset: Dataset, masked: float) -> Iterator[Reconstruction]:
    """Yield the windows; refuse what is no reconstruction of these cells at this share."""
    seen = np.zeros(dataset.n_cells, dtype=bool)
    hidden, wanted = 0, np.zeros(2)
    first: Reconstruction | None = None
    for part in adapter.reconstruct(dataset, masked=masked, seed=0):
        first = first or part
        _refuse_misfits(part, first, dataset, seen)
        _refuse_other_heads(part, adapter)
        refuse_untrue(part, dataset)
        seen[part.cells] = True
        lengths = np.diff(part.offsets)
        hidden += int(part.masked.sum())
        # of a cell's genes, or of what happens to be hidden among the few that a model reads of it
        wanted += [np.maximum(np.rint(masked * lengths), lengths > 0).sum(), masked * lengths.sum()] if masked else 0
        yield part
    if not seen.all():
        missing = np.flatnonzero(~seen)
        msg = f"reconstruct left out {len(missing)} of {len(seen)} cells (first: {dataset.cell_ids[missing[0]]})"
        raise CandidateFailed(msg)
    if not 0.9 * wanted.min() <= hidden <= 1.1 * wanted.max():
        msg = f"reconstruct was asked to hide {100 * masked:g} % of the genes ({wanted[0]:.0f}) and hid {hidden}"
        raise CandidateFailed(msg)


def _refuse_misfits(part: Any, first: Reconstruction, dataset: Dataset, seen: npt.NDArray[np.bool_]) -> None:
    """Raise CandidateFailed unless a window fits the dataset and the windows before it."""
    if not isinstance(part, Reconstruction):
        msg = f"reconstruct must yield zsgate.models.reconstruction.Reconstruction, not {type(part).__name__}"
        raise CandidateFailed(msg)
    if part.scale != first.scale or set(part.predictions) != set(first.predictions):
        msg = "reconstruct changed its scale or heads from one window to the next"
        raise CandidateFailed(msg)
    n_genes = len(dataset.symbols)
    if not part.fits(dataset.n_cells, n_genes):
        msg = f"reconstruct names cells or genes outside the dataset ({dataset.n_cells} cells, {n_genes} genes)"
        raise CandidateFailed(msg)
    if seen[part.cells].any() or len(np.unique(part.cells)) < len(part.cells):
        msg = "reconstruct gave a cell twice"
        raise CandidateFailed(msg)
    if not np.isfinite(part.target).all():
        msg = "reconstruct has targets that are not finite"
        raise CandidateFailed(msg)


def _refuse_other_heads(part: Reconstruction, adapter: GenePredictor) -> None:
    """Raise CandidateFailed unless a window is on the scale and has the heads that the model declares."""
    scale, heads = getattr(adapter, "scale", part.scale), getattr(adapter, "heads", ())
    if part.scale != scale:
        msg = f"reconstruct gave scale {part.scale!r} and the model declares {scale!r}"
        raise CandidateFailed(msg)
    if part.scale != "rank" and not set(heads) <= set(part.predictions):
        msg = f"reconstruct gave the heads {', '.join(part.predictions)} and the model declares {', '.join(heads)}"
        raise CandidateFailed(msg)


def _of_values(tally: ValueTally, averages: Averages, heads: list[str]) -> _Statistics:
    columns: dict[Way, Sides] = {}
    for way, (weight, in_sample) in WAYS.items():
        shared = {
            name: _fitted(name, partial(fit, tally, weight, in_sample=in_sample))
            for name, fit in averages.values.items()
        }
        shared[COPY] = tally.head(COPY, weight)
        columns[way] = {f"mse_{head}": {CANDIDATE: tally.head(head, weight), **shared} for head in heads}
    return _Statistics(
        columns=columns,
        floor={way: tally.noise_floor(weight) for way, (weight, _) in WAYS.items()},
        copied={head: tally.copied(head) for head in (*heads, COPY)},
        described={f"mse_{head}": described(tally.errors[head]) for head in heads},
        figures=figures.of_values(tally, heads, averages.gene_errors(tally)),
    )


def _of_ranks(tally: RankTally, averages: Averages) -> _Statistics:
    sides = {CANDIDATE: "token", COPY: COPY}  # the head that holds what a side names
    columns: dict[Way, Sides] = {}
    for way, (weight, in_sample) in WAYS.items():
        theirs = {
            name: _fitted(name, partial(fit, tally, weight, in_sample=in_sample))
            for name, fit in averages.ranks.items()
        }
        columns[way] = {
            statistic: {
                **{name: of_statistics[statistic] for name, of_statistics in theirs.items()},
                **{name: tally.head(statistic, head, weight) for name, head in sides.items() if head in each},
            }
            for statistic, each in tally.cells.items()
        }
    return _Statistics(
        columns=columns,
        floor=dict.fromkeys(WAYS, float("nan")),
        copied={head: tally.copied(head) for head in ("token", COPY)},
        described={statistic: described(each["token"]) for statistic, each in tally.cells.items()},
        figures={} if tally.share else figures.of_ranks(tally),
    )


def _fitted(name: str, fit: Callable[[], T]) -> T:
    try:
        return fit()
    except Exception as error:  # a baseline's failure is not the candidate's
        msg = f"{name} failed: {type(error).__name__}: {error}"
        raise BaselineFailed(msg) from error


def described(values: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return count, mean, standard deviation and quartiles over cells, as the paper prints them."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return {"count": len(known)}
    names = ("min", "25%", "50%", "75%", "max")
    quartiles = dict(zip(names, np.quantile(known, (0, 0.25, 0.5, 0.75, 1)).tolist(), strict=True))
    return {"count": len(known), "mean": float(known.mean()), "std": float(known.std(ddof=1)), **quartiles}
