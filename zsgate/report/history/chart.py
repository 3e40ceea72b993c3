"""Chart: the line of one test over runs as SVG paths, in whole units of a small frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zsgate.report.history.series import Point
from zsgate.report.record import VerdictRecord
from zsgate.report.words import distinct

WIDTH, HEIGHT, PAD = 160, 56, 6
LONGEST_WHISKER = 3.0  # in largest differences; longer ones are cut at the frame
CROWDED = 24  # more runs than this have a mark only where the outcome changed, and at the last
GLYPHS = {  # relative to its centre; shapes tell the outcomes apart without colour
    "beats": "m0-4 4 7h-8z",
    "loses": "m0 4 4-7h-8z",
    "inconclusive": "m0-4 4 4-4 4-4-4z",
    "error": "m-3-3 6 6m0-6-6 6",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """Differences from ``low`` to ``high``; at least zero and one more value lie between."""

    low: float
    high: float

    def y(self, value: float) -> int:
        """Return how far below the top of the frame a difference lies; what is beyond it is at its edge."""
        share = (self.high - value) / (self.high - self.low)
        return round(PAD + min(1.0, max(0.0, share)) * (HEIGHT - 2 * PAD))


@dataclass(frozen=True, slots=True)
class Chart:
    """The paths of one test; ``marks`` holds (state, path), ``points`` what is drawn."""

    line: str
    whiskers: str
    breaks: str
    zero: int
    marks: list[tuple[str, str]]
    points: list[Point]

    @property
    def last(self) -> Point:
        """The newest run that judged it."""
        return self.points[-1]

    @property
    def words(self) -> str:
        """How often each outcome was, for whoever cannot see the chart."""
        states = [point.state for point in self.points]
        return ", ".join(f"{states.count(state)} × {state}" for state in distinct(states))


def scale(points: Iterable[Point]) -> Scale:
    """Return a scale that holds zero, every difference, and what is drawn of the intervals."""
    verdicts = [point.verdict for point in points]
    largest = max((abs(_difference(verdict)) for verdict in verdicts), default=0.0) or 1e-3
    bound, values = LONGEST_WHISKER * largest, [0.0, *map(_difference, verdicts)]
    values += [max(-bound, min(bound, end)) for verdict in verdicts for end in verdict.interval or ()]
    low, high = min(values), max(values)
    return Scale(low, high) if high > low else Scale(-1e-3, 1e-3)


def chart(points: Sequence[Point], n_runs: int, breaks: Sequence[int], on: Scale) -> Chart:
    """Return the paths of a test.

    Parameters
    ----------
    points
        At least one, in the order of the runs.
    n_runs
        Number of runs of the model.
    breaks
        Positions of the runs before which the line breaks.
    on
        Where differences lie.
    """
    line, whiskers, marks = "", "", dict.fromkeys(GLYPHS, "")
    before: Point | None = None
    for position, point in enumerate(points):
        x, verdict = _x(point.run, n_runs), point.verdict
        y = on.y(_difference(verdict)) if _is_drawn(point) else on.y(0.0)
        if _is_drawn(point):
            line += f"{'L' if before is not None and _joins(before, point, breaks) else 'M'}{x} {y}"
            if verdict.interval is not None:
                whiskers += f"M{x} {on.y(verdict.interval[1])}V{on.y(verdict.interval[0])}"
        newest = position == len(points) - 1
        if n_runs <= CROWDED or newest or before is None or before.state != point.state:
            marks[point.state] += f"M{x} {y}{GLYPHS[point.state]}"
        before = point
    gaps = "".join(f"M{round((_x(run - 1, n_runs) + _x(run, n_runs)) / 2)} 0v{HEIGHT}" for run in breaks)
    return Chart(line, whiskers, gaps, on.y(0.0), [(s, path) for s, path in marks.items() if path], list(points))


def _joins(before: Point, point: Point, breaks: Sequence[int]) -> bool:
    """Return whether the line goes on from one run to the next: both claim something, nothing changed between."""
    return _is_drawn(before) and point.run == before.run + 1 and point.run not in breaks


def _is_drawn(point: Point) -> bool:
    return point.claimed and point.verdict.difference is not None


def _difference(verdict: VerdictRecord) -> float:
    return verdict.difference or 0.0


def _x(run: int, n_runs: int) -> int:
    return round(PAD + (WIDTH - 2 * PAD) * (run / (n_runs - 1) if n_runs > 1 else 0.5))
