"""Patterns: which tests they name."""

from __future__ import annotations

import pytest

from zsgate.verdict.match import matches


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("pancreas-hvg-asw", True),
        ("pancreas-*-asw", True),
        ("*-asw", True),
        ("pancreas-hvg", True),
        ("pancreas", True),
        ("p?ncreas*", True),
        ("pancreas-hv", False),
        ("pancrea", False),
        ("hvg-asw", False),
        ("Pancreas-hvg-asw", False),
    ],
)
def test_a_pattern_names_whole_parts_from_the_front(pattern, named):
    """A shorter pattern names all tests that begin so; half a word names nothing."""
    assert matches(pattern, "pancreas", "hvg", "asw") is named
