"""Proof: what a control, an embedding of known worth, must do and did."""

from __future__ import annotations

import math

import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.metrics.metric import Metric
from zsgate.models.embedding import check_rows
from zsgate.report.record import ControlRecord
from zsgate.run.checks import controls
from zsgate.run.run import Run
from zsgate.verdict.score import Score
from zsgate.verdict.terms import Floor, Proviso, Signal
from zsgate.verdict.uninformative import CEILING, NO_ROOM
from zsgate.verdict.verdict import Verdict

Pair = tuple[Score, Score]
WHY_REFUSED = "The same row for every cell must be refused, or a dead model gets a score."
WHY_FRESH = "A graph of another embedding must not be read: scib scored noise as perfect that way (theislab/scib#389)."


def proviso_of(signal: Pair | None, floor: Pair | None) -> Proviso | None:
    """Return what a verdict needs besides the difference, a signal or a floor.

    Raises
    ------
    TypeError
        If both are asked for.
    """
    if signal is not None and floor is not None:
        msg = "judge: ask for a signal or for a floor, not both"
        raise TypeError(msg)
    return Floor(*floor) if floor is not None else None if signal is None else Signal(*signal)


def proved(run: Run, nodeid: str, known: controls.Control, verdict: Verdict) -> ControlRecord:
    """Return whether a control's verdict is what the table says it must be.

    Parameters
    ----------
    run, nodeid
        The run, and the id of the test.
    known
        What the control must do.
    verdict
        On the control, by the usual terms, whatever the run's policy and margin: a control's worth is known.
    """
    got = _outcome(verdict) if known.must != "fails" else "passes" if verdict else "fails"
    if (known.must, got) == ("beats", "inconclusive") and (verdict.theirs > CEILING or not known.strict):
        got = NO_ROOM
    return ControlRecord(
        nodeid=nodeid,
        control=verdict.model,
        dataset=verdict.dataset,
        metric=verdict.metric,
        baseline=verdict.baseline,
        expected=known.must,
        got=got,
        passed=got == known.must,
        advisory=verdict.metric not in run.deciding,
        why=known.why,
        sentence=verdict.sentence,
    )


def refused(nodeid: str, dataset: Dataset, rows: npt.ArrayLike) -> ControlRecord:
    """Return whether rows that carry nothing are refused, as a candidate's would be."""
    got, sentence = "accepted", "a constant embedding was accepted"
    try:
        check_rows(rows, source="the constant control", n_cells=dataset.n_cells)
    except ValueError as error:
        got, sentence = "refused", str(error)
    return ControlRecord(
        nodeid=nodeid,
        control="constant",
        dataset=dataset.name,
        expected="refused",
        got=got,
        passed=got == "refused",
        why=WHY_REFUSED,
        sentence=sentence,
    )


def unread(run: Run, nodeid: str, dataset: Dataset, metric: Metric) -> ControlRecord:
    """Return whether a neighbour graph left in an AnnData by another embedding is left unread by a metric."""
    pca = run.method("pca").embed(dataset)
    adata = controls.with_stale_graph(dataset, pca)
    fresh, found = (metric(given, dataset, seeds=1, recipe=pca.recipe).value for given in (pca, adata.obsm["X"]))
    equal = fresh == found or (math.isnan(fresh) and math.isnan(found))
    return ControlRecord(
        nodeid=nodeid,
        control="stale_graph",
        dataset=dataset.name,
        metric=metric.name,
        expected="equal",
        got="equal" if equal else "different",
        passed=equal,
        advisory=metric.name not in run.deciding,
        why=WHY_FRESH,
        sentence=f"{metric.name} is {found:.6f} with the labels' own graph in the AnnData and {fresh:.6f} without",
    )


def _outcome(verdict: Verdict) -> str:
    """Return the outcome; by the bare difference where too few donors allow no interval, for controls are extreme."""
    if verdict.interval is not None or not math.isfinite(verdict.difference):
        return verdict.outcome
    return "beats" if verdict.difference > 0 else "loses"
