"""The tables name what can be called."""

from __future__ import annotations

from zsgate.baselines import BASELINES, RANK_AVERAGES, VALUE_AVERAGES


def test_the_table_names_what_can_be_called():
    """Every baseline of the table is a function of a dataset."""
    from inspect import signature
    from pkgutil import resolve_name

    for name, where in BASELINES.items():
        function = resolve_name(where)
        assert next(iter(signature(function).parameters)) == "dataset", name


def test_every_average_has_its_function():
    """The names that suites and controls go by are those of the functions that are fitted."""
    from zsgate.baselines.averages import AVERAGES

    assert tuple(AVERAGES.values) == VALUE_AVERAGES
    assert tuple(AVERAGES.ranks) == RANK_AVERAGES
