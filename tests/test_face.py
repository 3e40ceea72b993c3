"""The face of the package: what `import zsgate` offers, and how little it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import zsgate
from zsgate.verdict.verdict import judge


@pytest.mark.parametrize("name", zsgate.__all__)
def test_every_public_name_is_what_it_says(name):
    """It comes from the module that defines it, under its own name."""
    found = getattr(zsgate, name)
    assert found.__name__ == name
    assert found.__module__.startswith("zsgate.")
    assert name in dir(zsgate)


def test_an_unknown_name_is_an_attribute_error():
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'Datasets'"):
        _ = zsgate.Datasets


def test_importing_it_imports_nothing_else():
    """Not a module of its own, and no package."""
    code = "import sys; before = set(sys.modules); import zsgate; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == ["zsgate"]


def test_two_scores_of_the_face_are_judged():
    """The names go together."""
    draws = {"draws": (0.9,), "units": tuple("abcdefgh"), "cells": "x", "recipe": "default"}
    ours = zsgate.Score("asw", 0.9, leave_outs=(0.9, 0.901, 0.899, 0.9, 0.902, 0.9, 0.898, 0.9), **draws)
    theirs = zsgate.Score("asw", 0.5, leave_outs=(0.5,) * 8, **draws | {"draws": (0.5,)})
    verdict = judge(ours, theirs)
    assert isinstance(verdict, zsgate.Verdict)
    assert verdict.outcome == "beats"
