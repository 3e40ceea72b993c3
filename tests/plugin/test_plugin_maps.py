"""The page's UMAPs, of all who were compared: they decide nothing, and a fault of theirs is a sentence."""

from __future__ import annotations

import importlib.util

import pytest

CHOSEN = ("-k", "(hvg or pca) and asw")


@pytest.fixture(autouse=True)
def drawn(project, monkeypatch):
    if importlib.util.find_spec("umap") is None:
        pytest.skip("needs umap-learn")
    monkeypatch.delenv("ZSGATE_NO_MAPS")


@pytest.mark.slow
def test_maps_are_of_whom_was_compared(gate, verdict):
    """The same cells by the candidate and both baselines; a run that wants none has none, and the same verdicts."""
    result = gate("models:good", *CHOSEN)
    first = verdict()
    (found,) = first["maps"]
    assert [name for name, _ in found["methods"]] == ["models:good", "hvg", "pca"]
    assert (found["n_cells"], found["why"]) == (240, "")
    assert gate("models:good", *CHOSEN, "--no-maps").ret == result.ret
    assert verdict()["maps"] == []
    assert verdict()["verdicts"] == first["verdicts"]


def test_a_fault_of_a_picture_is_a_sentence(gate, project, verdict):
    """umap-learn that breaks changes neither outcome nor exit code."""
    project.makepyfile(umap="raise RuntimeError('no UMAP today')")
    assert gate("models:good", *CHOSEN).ret == 0
    assert "no UMAP today" in verdict()["maps"][0]["why"]


@pytest.mark.slow
def test_who_interrupts_the_drawing_loses_pictures_only(gate, project, verdict):
    """Every test had its turn, so the run ends as it would have; one that is interrupted in its tests draws none."""
    project.makepyfile(umap="raise KeyboardInterrupt")
    assert gate("models:good", *CHOSEN).ret == 0
    assert (verdict()["gate"], verdict()["maps"][0]["why"]) == ("passed", "the drawing of UMAPs was interrupted")
    project.makepyfile(stops="def pytest_runtest_logfinish():\n    raise KeyboardInterrupt\n")
    assert gate("models:good", *CHOSEN, "-p", "stops").ret == 2
    found = verdict()
    assert (found["gate"], len(found["verdicts"]), found["maps"]) == ("interrupted", 1, [])
