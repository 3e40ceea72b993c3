"""Forest plot: where differences, intervals, margins and ticks fall on an axis, in percent of its width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zsgate.report.record import Record, distinct
from zsgate.report.words import has_ends

_SHARE_WITHIN = 10.0  # metrics whose largest differences lie within this factor share an axis
_LONGEST_WHISKER = 3.0  # in largest differences; longer ones are cut and end in an arrow
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One verdict on an axis; ``low`` and ``high`` are None without an interval, ``cut`` names open ends."""

    verdict: Record
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


def panels(verdicts: Sequence[Record]) -> list[Panel]:
    """Return the panels of one dataset's verdicts that have a difference, metrics in order of appearance."""
    shown = [verdict for verdict in verdicts if verdict["difference"] is not None]
    metrics = distinct(list(shown), "metric")
    extents = {name: _largest(v for v in shown if v["metric"] == name) for name in metrics}
    found = []
    while metrics:
        scale = extents[metrics[0]]
        together = [m for m in metrics if scale / _SHARE_WITHIN <= extents[m] <= scale * _SHARE_WITHIN]
        metrics = [m for m in metrics if m not in together]
        found.append(_panel([v for v in shown if v["metric"] in together], together))
    return found


def _largest(verdicts: Iterable[Record]) -> float:
    return max((abs(verdict["difference"]) for verdict in verdicts), default=0.0) or 1e-3


def _margin(verdict: Record) -> float | None:
    sign = -1.0 if verdict["policy"] == "noninferior" else 1.0
    return sign * verdict["margin"] or None


def _panel(verdicts: list[Record], metrics: list[str]) -> Panel:
    bound = _LONGEST_WHISKER * _largest(verdicts)
    values = [0.0]
    for verdict in verdicts:
        values += [verdict["difference"], _margin(verdict) or 0.0]
        if has_ends(verdict["ci"]):
            values += [max(-bound, min(bound, end)) for end in verdict["ci"]]
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) or 1e-3
    low, high = low - pad, high + pad

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    def row(verdict: Record) -> Row:
        margin = _margin(verdict)
        at, line = place(verdict["difference"]), None if margin is None else place(margin)
        if not has_ends(verdict["ci"]):
            return Row(verdict, at, None, None, (False, False), line)
        ends = verdict["ci"]
        cut = (ends[0] < low, ends[1] > high)
        return Row(verdict, at, place(max(low, ends[0])), place(min(high, ends[1])), cut, line)

    groups = [(name, [row(v) for v in verdicts if v["metric"] == name]) for name in metrics]
    ticks = [(place(tick), f"{tick:+g}".replace("-", "−") if tick else "0") for tick in _ticks(low, high)]
    return Panel(groups, ticks, place(0.0))


def _ticks(low: float, high: float) -> list[float]:
    """Return up to about five round numbers between ``low`` and ``high``, 0 among them."""
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    return [float(f"{n * step:.6g}") for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
