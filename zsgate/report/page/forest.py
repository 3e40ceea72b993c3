"""Forest plot: where differences, intervals, margins and ticks fall on an axis, in percent of its width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zsgate.report.grid import ShownVerdict
from zsgate.report.record.verdict import VerdictRecord
from zsgate.report.words import distinct

_SHARE_WITHIN = 10.0  # metrics whose largest differences lie within this factor share an axis
_LONGEST_WHISKER = 3.0  # in largest differences; longer ones are cut and end in an arrow
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One verdict on an axis; ``low`` and ``high`` are None without an interval, ``cut`` names open ends."""

    verdict: VerdictRecord
    anchor: str
    at: float
    low: float | None
    high: float | None
    cut: tuple[bool, bool]
    margin: float | None


@dataclass(frozen=True, slots=True)
class Panel:
    """Metrics that share an axis: ``groups`` holds (metric, rows), ``ticks`` (position, label)."""

    groups: list[tuple[str, list[Row]]]
    ticks: list[tuple[float, str]]
    zero: float


def panels(verdicts: Sequence[ShownVerdict]) -> list[Panel]:
    """Return the panels of one dataset's verdicts that have a difference, metrics in order of appearance."""
    shown = [each for each in verdicts if each.verdict.difference is not None]
    metrics = distinct(each.verdict.metric for each in shown)
    extents = {name: _largest(each.verdict for each in shown if each.verdict.metric == name) for name in metrics}
    found = []
    while metrics:
        scale = extents[metrics[0]]
        together = [m for m in metrics if scale / _SHARE_WITHIN <= extents[m] <= scale * _SHARE_WITHIN]
        metrics = [m for m in metrics if m not in together]
        found.append(_panel([each for each in shown if each.verdict.metric in together], together))
    return found


def _difference(verdict: VerdictRecord) -> float:
    return verdict.difference or 0.0  # only verdicts that have one are drawn


def _largest(verdicts: Iterable[VerdictRecord]) -> float:
    return max((abs(_difference(verdict)) for verdict in verdicts), default=0.0) or 1e-3


def _margin(verdict: VerdictRecord) -> float | None:
    sign = -1.0 if verdict.policy == "noninferior" else 1.0
    return sign * verdict.margin or None


def _range(verdicts: list[VerdictRecord]) -> tuple[float, float]:
    """Return the ends of an axis that holds zero, every difference and margin, and what is drawn of the intervals."""
    bound = _LONGEST_WHISKER * _largest(verdicts)
    values = [0.0]
    for verdict in verdicts:
        values += [_difference(verdict), _margin(verdict) or 0.0]
        values += [max(-bound, min(bound, end)) for end in verdict.interval or ()]
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) or 1e-3
    return low - pad, high + pad


def _panel(shown: list[ShownVerdict], metrics: list[str]) -> Panel:
    low, high = _range([each.verdict for each in shown])

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    def row(each: ShownVerdict) -> Row:
        verdict, margin = each.verdict, _margin(each.verdict)
        at, line = place(_difference(verdict)), None if margin is None else place(margin)
        if verdict.interval is None:
            return Row(verdict, each.anchor, at, None, None, (False, False), line)
        left, right = verdict.interval
        cut = (left < low, right > high)
        return Row(verdict, each.anchor, at, place(max(low, left)), place(min(high, right)), cut, line)

    groups = [(name, [row(each) for each in shown if each.verdict.metric == name]) for name in metrics]
    ticks = [(place(tick), f"{tick:+g}".replace("-", "−") if tick else "0") for tick in _ticks(low, high)]
    return Panel(groups, ticks, place(0.0))


def _ticks(low: float, high: float) -> list[float]:
    """Return up to about five round numbers between ``low`` and ``high``, 0 among them."""
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    return [float(f"{n * step:.6g}") for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
