"""Words: numbers and lists as a page says them."""

from __future__ import annotations

import pytest

from zsgate.report import words
from zsgate.report.record import GateState


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0.000"), (-0.0901, "−0.090"), (123.456, "123.5"), (0.00004, "4.0e−05"), (-2e7, "−2.0e+07")],
)
def test_numbers_read_well(value: float | None, text: str) -> None:
    """Three decimals where they say something, a true minus sign, a dash for nothing."""
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_read_well(names: list[str], text: str) -> None:
    """Names are joined as a sentence joins them."""
    assert words.joined(names) == text


def test_every_gate_has_a_mark() -> None:
    """However a run stands, there is a mark and a colour for it."""
    assert words.LIKE.keys() == set(GateState)
    assert set(words.LIKE.values()) <= words.MARKS.keys() == set(words.STATES)
