"""Holm's adjustment: its worked example, and what no p-value changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsgate.verdict import holm

probabilities = st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12)


@given(probabilities)
def test_holm_is_monotone(p_values: list[float | None]) -> None:
    """Adjusted p-values are never below the raw ones, keep their order, stay in [0, 1] and leave None alone."""
    adjusted = holm.adjusted(p_values)
    pairs = sorted((p, q) for p, q in zip(p_values, adjusted, strict=True) if p is not None and q is not None)
    assert all(p <= q <= 1 for p, q in pairs)
    assert [q for _, q in pairs] == sorted(q for _, q in pairs)
    assert [p is None for p in p_values] == [q is None for q in adjusted]


def test_holm_equals_the_worked_example() -> None:
    """Holm's example: p 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02 (as R's p.adjust gives)."""
    assert holm.adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_counts_tests_without_p() -> None:
    """A test without a p-value still counts, so dropping it cannot make the others look better."""
    assert holm.adjusted([0.01, None]) == pytest.approx([0.02, None])


def test_holm_adjusts_within_a_family() -> None:
    """Tests against one baseline do not count among those against another, in whatever order they come."""
    found = holm.adjusted([0.01, 0.02, None, 0.03], ["hvg", "scvi", "scvi", "hvg"])
    assert found == pytest.approx([0.02, 0.04, None, 0.03])
    with pytest.raises(ValueError, match="zip"):
        holm.adjusted([0.01, 0.02], ["hvg"])
