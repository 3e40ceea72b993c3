"""Words: how a number, a list and an outcome read on every page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zsgate.report.record.run import GateState
from zsgate.report.record.verdict import VerdictRecord

STATES = ("beats", "loses", "inconclusive", "error", "not tested", "not applicable")
MARKS = {"beats": "▲", "loses": "▼", "inconclusive": "◆", "error": "✕", "not tested": "–", "not applicable": "·"}
LIKE = {  # the state whose mark and colour a gate has
    GateState.PASSED: "beats",
    GateState.WAIVED: "inconclusive",
    GateState.LOST: "loses",
    GateState.INCONCLUSIVE: "inconclusive",
    GateState.INTERRUPTED: "inconclusive",
    GateState.INCOMPLETE: "inconclusive",
    GateState.RUNNING: "not tested",
    GateState.BROKE: "error",
    GateState.UNUSABLE: "error",
}
NOTHING = "–"


def number(value: float | None) -> str:
    """Return three decimals, fewer for large values, scientific for what three decimals cannot show."""
    if value is None:
        return NOTHING
    size = abs(value)
    text = f"{value:.1e}" if 0 < size < 0.0005 or size >= 1e6 else f"{value:.{3 if size < 100 else 1}f}"
    return text.replace("-", "−")


def signed(value: float | None) -> str:
    """Return ``value`` with its sign, as differences are shown."""
    return number(value) if value is None or value < 0 else f"+{number(value)}"


def interval(ends: tuple[float, float] | None) -> str:
    """Return ``[low, high]`` with signs, or a dash where there is no interval."""
    return NOTHING if ends is None else f"[{signed(ends[0])}, {signed(ends[1])}]"


def chance(p: float | None) -> str:
    """Return a p-value as papers print it."""
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def joined(names: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def distinct(names: Iterable[str | None]) -> list[str]:
    """Return names in order of first appearance, without None and empty ones."""
    return [name for name in dict.fromkeys(names) if name]


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 donor`` or ``20 donors``, thousands set apart by a comma."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def whole(n: int | None) -> str:
    """Return a count, thousands set apart by a comma."""
    return NOTHING if n is None else f"{n:,}"


def percent(share: float | None) -> str:
    """Return a share of 1 in per cent."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def portion(part: int | None, n: int | None) -> str:
    """Return ``8,000 of 10,000 (80.0 %)``."""
    return NOTHING if part is None or not n else f"{part:,} of {n:,} ({percent(part / n)})"


def one_line(text: str) -> str:
    """Return ``text`` on one line."""
    return " ".join(text.split())


def units(verdict: VerdictRecord) -> str:
    """Return what a verdict left out, in words: ``20 donors`` or ``20 groups of cells``."""
    if verdict.these_donors_only:
        return counted(verdict.n_units, "group of cells", "groups of cells")
    return counted(verdict.n_units, "donor")


def seconds(value: float | None) -> str:
    """Return a duration as a reader says it."""
    if value is None:
        return NOTHING
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"
