"""--against: another model, or the last release, in the place of a baseline."""

from __future__ import annotations

import json

ONLY = ("-k", "test_against and (asw or nmi)")


def test_another_model_is_judged_by_the_same_machinery(gate, verdict):
    """Labels beat noise under the rival's name, paired by donors; its tests can be selected by it."""
    result = gate("models:good", "--against=models:bad", *ONLY)

    assert result.ret == 0, result.stdout.str()
    judged = verdict()["verdicts"]
    assert {(each["baseline"], each["metric"], each["outcome"]) for each in judged} == {
        ("models:bad", "asw", "beats"),
        ("models:bad", "nmi", "beats"),
    }
    assert {each["n_units"] for each in judged} == {12}
    assert "models:bad" in [each["name"] for each in verdict()["baselines"]]


def test_the_last_release_is_paired_by_what_it_recorded(gate, project, verdict):
    """The scores of a verdict.json give the very verdict that its model gives when it runs beside."""
    gate("models:good", "--against=models:bad", *ONLY)
    beside = {each["metric"]: each for each in verdict()["verdicts"]}
    gate("models:bad", "-k", "hvg and (asw or nmi)")
    (project.path / "zsgate-report" / "verdict.json").rename(project.path / "old.json")
    result = gate("models:good", "--against=old.json", *ONLY)

    assert result.ret == 0, result.stdout.str()
    for each in verdict()["verdicts"]:
        assert each["baseline"].startswith("models:bad@20")
        for key in ("ours", "theirs", "difference", "ci", "p"):
            assert each[key] == beside[each["metric"]][key], key


def test_what_is_not_comparable_is_refused(gate, project, verdict):
    """Another recipe, other cells, no scores, no record, the candidate itself: exit 4, with the reason."""
    gate("models:bad", "-k", "hvg and asw")
    record = verdict()
    changed = {
        "recipe": {**record, "recipe": {**record["recipe"], "hash": "0"}},
        "cells": {**record, "scores": [{**each, "cells": "0"} for each in record["scores"]]},
        "none": {**record, "scores": []},
        "other": {"name": "no verdict"},
    }
    for name, content in changed.items():
        (project.path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    for against, words in (
        ("recipe.json", "they are not comparable"),
        ("cells.json", "was judged on other cells"),
        ("none.json", "it holds no scores"),
        ("other.json", "no verdict.json of zsgate"),
        ("absent.json", "no verdict.json of zsgate"),
        ("models:bad", "is the candidate itself"),
    ):
        result = gate("models:bad", f"--against={against}", "-k", "hvg and asw")
        assert result.ret == 4, against
        assert words in " ".join(result.stderr.str().split()), against
