"""A classical method on trial like a model, and a baseline that is compared with on request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Gate = Callable[..., pytest.RunResult]
SOME = ("-k", "(hvg or pca) and asw")


def test_a_classical_method_is_judged_like_a_model(gate: Gate, verdict: Callable[[], dict]) -> None:
    """Against all others and not itself; its rows are the baseline's, made once."""
    assert gate("pca", *SOME).ret in (0, 1)
    record = verdict()
    (against_hvg,) = record["verdicts"]
    assert (record["model"], against_hvg["baseline"]) == ("pca@model", "hvg")
    assert {"what": "random_init", "baseline": "random_init"}.items() <= record["not_tested"][0].items()
    assert [each["cached"] for each in record["timings"] if each["what"] == "embed pca"] == [False, True]
    assert gate("hvg", *SOME).ret in (0, 1)
    (against_pca,) = verdict()["verdicts"]
    assert against_pca["ours"] == against_hvg["theirs"]
    assert against_pca["difference"] == pytest.approx(-against_hvg["difference"], abs=1e-12)


@pytest.mark.slow
def test_harmony_is_compared_with_on_request(gate: Gate, verdict: Callable[[], dict]) -> None:
    """And may be the candidate; chance it draws is in its interval."""
    pytest.importorskip("harmony")
    chosen = ("-k", "(pca or harmony) and asw")
    assert gate("models:good", *chosen).ret == 0
    assert {each["baseline"] for each in verdict()["verdicts"]} == {"pca"}
    assert gate("models:good", *chosen, "--baselines=harmony").ret == 0
    assert {each["baseline"] for each in verdict()["verdicts"]} == {"pca", "harmony"}
    assert gate("harmony", *chosen).ret == 1
    (found,) = verdict()["verdicts"]
    assert found["baseline"] == "pca"
    result = gate("models:good", "--baselines=harmonny")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*unknown baseline 'harmonny'; did you mean 'harmony'?*"])
