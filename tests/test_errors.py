"""What is said of a name that is not known."""

from __future__ import annotations

from zsgate.errors import nearest, unknown


def test_the_nearest_name_ignores_case():
    """A name in another case is the nearest; nothing near is None."""
    assert nearest("CELL_TYPE", ["cell_type", "batch"]) == "cell_type"
    assert nearest("xyz", ["cell_type", "batch"]) is None


def test_an_unknown_name_is_said_with_the_nearest_one():
    """And with all that are known; where none is near, there is no guess."""
    assert unknown("tier", "quik", ("quick", "pr")) == "unknown tier 'quik'; did you mean 'quick'? (known: quick, pr)"
    assert unknown("tier", "xyz", ("quick", "pr")) == "unknown tier 'xyz' (known: quick, pr)"
