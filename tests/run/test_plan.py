"""Rates of this machine, and what is said of the time ahead."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsgate.run.before import rates, words
from zsgate.run.before.rates import FILE, TABLE, Rate, Rates
from zsgate.run.before.steps import Asked, Plan, Size, Step


def test_what_was_measured_here_counts_before_the_table(tmp_path, monkeypatch):
    """Until then the table; of a checkpoint, its family's; of a model of one's own, nothing."""
    known = Rates(tmp_path / "cache")
    assert known.of("embed hvg") == Rate(TABLE["embed hvg"], measured=False)
    assert known.of("embed scgpt_human") == Rate(TABLE["embed scgpt"], measured=False)
    assert known.of("embed mine:Model") is None
    known.learn([("embed hvg", 1000, 50.0), ("embed mine:Model", 10, 1.0), ("read", 10, 0.001), ("score", 0, 9.0)])
    assert known.of("embed hvg") == Rate(0.05, measured=True)
    assert known.of("embed mine:Model") == Rate(0.1, measured=True)
    assert known.of("read") == Rate(TABLE["read"], measured=False)
    known.learn([("embed hvg", 1000, 20.0)])
    assert known.of("embed hvg") == Rate(0.02, measured=True)
    monkeypatch.setattr(rates, "machine", lambda: "another")
    assert known.of("embed hvg") == Rate(TABLE["embed hvg"], measured=False)


def test_a_gpu_has_rates_of_its_own(tmp_path):
    """What was measured on the CPU says nothing of it; what does not run there takes as long."""
    here, there = Rates(tmp_path), Rates(tmp_path, gpu=True)
    assert there.of("embed scgpt_human").seconds < 0.01 * here.of("embed scgpt_human").seconds
    assert there.of("embed hvg") == here.of("embed hvg")
    here.learn([("embed scgpt", 10, 9.0)])
    assert not there.of("embed scgpt").measured
    there.learn([("embed scgpt", 1000, 1.0)])
    assert (here.of("embed scgpt"), there.of("embed scgpt")) == (Rate(0.9, True), Rate(0.001, True))


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}', '{"a": {"read": "x"}}', '{"a": {"read": null}}'])
def test_damaged_rates_are_no_rates(tmp_path, text):
    """They decide nothing, so nothing is said; the next run writes them anew."""
    (tmp_path / FILE).write_text(text)
    known = Rates(tmp_path)
    assert known.of("read") == Rate(TABLE["read"], measured=False)
    known.learn([("read", 10, 1.0)])
    assert known.of("read") == Rate(0.1, measured=True)


def test_rates_that_are_no_times_are_left_out(tmp_path):
    """Infinite, negative and zero ones."""
    wrong = {"read": float("inf"), "score": -1, "embed hvg": 0, "embed pca": 1.0}
    (tmp_path / FILE).write_text(json.dumps({rates.machine(): wrong}))
    assert [Rates(tmp_path).of(step).measured for step in wrong] == [False, False, False, True]


def plan(*steps: Step, downloads: tuple[tuple[str, int | None], ...] = ()) -> Plan:
    tests = (
        Asked("cell_type_clustering", "cells", "", "hvg", "nmi"),
        Asked("controls", "cells", "noise", "pca", "asw"),
    )
    return Plan(tests, {"cells": Size(1500, 3274)}, steps, downloads)


SCVI = Step("embed scvi", "cells", "embed scvi levels_off", 4500.0, False, 3, 900.0, True)
MINE = Step("embed m:m", "cells", "embed m:m", 1500.0, False)
KEPT = Step("embed hvg", "cells", "embed hvg", 1500.0, True, 1, 0.0)


def test_little_ahead_is_not_spoken_of():
    """Two minutes are little; a download counts."""
    assert words.brief(plan(KEPT)) == []
    assert words.brief(plan(KEPT, Step("x", "cells", "x", 1.0, False, 1, 119.0))) == []
    assert words.brief(plan(KEPT, downloads=(("a.h5ad", 2_000_000_000),))) != []


def test_much_ahead_is_said_in_three_lines():
    """How long and why, what is kept and what comes, and memory; what nobody has measured is said to be so."""
    assert words.brief(plan(KEPT, SCVI, MINE, downloads=(("a.h5ad", 2_000_000_000), ("b.csv", None)))) == [
        "zsgate: about 18 min ahead and what nobody has measured (embed m:m): embed scvi 15 min",
        "zsgate: 1 of 3 embeddings are in the store; downloads: 2.00 GB and 1 of unpublished size, about 3 min "
        "at 10 MB/s",
        "zsgate: memory: about 0.7 GB; --plan says all of it and runs nothing",
    ]


def test_a_plan_says_all_of_it():
    """Tests, cells, each step, downloads, memory, sum."""
    said = words.whole(plan(KEPT, SCVI, MINE), ["test_x.py::a", "test_x.py::b"])
    assert said == [
        "tests: 2",
        "  test_x.py::a",
        "  test_x.py::b",
        "",
        "cells: 1,500 of 3,274 cells; tests: 1 cell type clustering, 1 controls",
        "  embed hvg            in the store",
        "  embed scvi, 3 times  to make       about 15 min, measured",
        "  embed m:m            to make       not measured yet",
        "",
        "downloads: none",
        "memory: about 0.7 GB",
        "in all: about 15 min and what nobody has measured (embed m:m), as measured here",
    ]


@given(st.lists(st.tuples(st.sampled_from(["read", "score", "x"]), st.floats(0, 1e9), st.floats(0, 1e9)), max_size=5))
def test_whatever_is_learnt_is_a_time(tmp_path_factory, measured):
    """No rate is negative, infinite or zero, whatever a run has measured."""
    known = Rates(tmp_path_factory.mktemp("cache"))
    known.learn(measured)
    found = [rate for step in ("read", "score", "x") if (rate := known.of(step))]
    assert all(0 < rate.seconds < float("inf") for rate in found)
