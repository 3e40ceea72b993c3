"""A candidate that draws chance, through the real gate: drawn several times, checked, and believed nothing."""

from __future__ import annotations

import pytest

SELECT = ("-k", "pca and asw and test_separates")


def test_a_sampler_is_drawn_three_times_and_checked(gate, verdict):
    """Its score is a mean of three, the spread is in the interval, and six comparisons of rows are recorded."""
    result = gate("models:Sampling", *SELECT)

    assert result.ret == 0, result.stdout.str()
    (judged,) = verdict()["verdicts"]
    assert judged["seeds"]["ours"] == 3
    assert judged["variance"]["seeds"] > 0
    checks = verdict()["checks"]
    assert [each["check"] for each in checks].count("in another draw") == 2
    assert len(checks) == 6
    assert all(0 < each["moved"] <= 3 * each["chance"] + 0.1 * each["apart"] for each in checks)
    assert not any("Nobody checked" in caveat for caveat in verdict()["caveats"])


@pytest.mark.parametrize("draws", [1, 5])
def test_draws_are_the_user_s_to_say(gate, project, verdict, draws):
    """pyproject.toml overrules the object."""
    project.makepyprojecttoml(f"[tool.zsgate.models.'models:Sampling']\ndraws = {draws}\n")
    gate("models:Sampling", *SELECT)

    assert verdict()["verdicts"][0]["seeds"]["ours"] == draws


def test_who_deals_out_its_rows_is_refused(gate, verdict):
    """To say stochastic = True excuses no rows in another order: the candidate fails, exit 1."""
    result = gate("models:Dealing", *SELECT)

    assert result.ret == 1
    (failure,) = verdict()["failures"]
    assert failure["what"] == "candidate"
    assert "Dealing embeds the same cell differently in another draw" in failure["message"]
    assert not verdict()["verdicts"]


def test_what_is_not_checked_is_on_the_page(gate, project, verdict):
    """Who looks across cells is not embedded again, which record and page say in words; its draws are compared."""
    result = gate("models:Across", *SELECT)

    assert result.ret == 0, result.stdout.str()
    said = "gives a cell of cells the same row again: it says that it looks across cells (independent_cells = False)"
    assert sum(said in caveat for caveat in verdict()["caveats"]) == 1
    assert said in (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
    assert [each["check"] for each in verdict()["checks"]] == ["in another draw"]
    assert verdict()["verdicts"][0]["seeds"]["ours"] == 2


@pytest.mark.parametrize(
    ("draws", "says"),
    [
        ("0", "draws must be a whole number from 1 on, not 0"),
        ("'two'", "draws must be a whole number from 1 on, not 'two'"),
        ("2", "2 draws of a model that does not say stochastic = True would all be the same"),
    ],
)
def test_draws_that_mean_nothing_are_refused(gate, project, draws, says):
    """Before anything runs, in a sentence: exit 4."""
    project.makepyprojecttoml(f"[tool.zsgate.models.'models:good']\ndraws = {draws}\n")
    result = gate("models:good", *SELECT)

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*--model models:good: {says}*"])
