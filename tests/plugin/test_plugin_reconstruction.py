"""The reconstruction suite through the real gate: a copy is named, a good predictor passes."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import jsonschema
import pytest

SUITE = "test_reconstruction.py"
SELECT = (SUITE, "-k", "mse_gep")


def by_metric(record, baseline):
    return {each["metric"]: each for each in record["verdicts"] if each["baseline"] == baseline}


def test_a_copy_is_named_and_loses(gate, verdict):
    """Perfect on what it sees, it passes nowhere: not unmasked, where it is found out, and not on hidden genes."""
    result = gate("models:Copier", *SELECT)

    assert result.ret == 1
    found = by_metric(verdict(), "mean")
    assert set(found) == {"mse_gep", "mse_gep_m15", "mse_gep_m40"}
    assert (found["mse_gep"]["outcome"], found["mse_gep"]["passed"]) == ("beats", False)
    assert [found[name]["outcome"] for name in ("mse_gep_m15", "mse_gep_m40")] == ["loses", "loses"]
    for each in found.values():
        assert "models:Copier only copies: of the genes it is shown it misses 0 %" in each["reason"]
    assert found["mse_gep"]["advisory"]
    assert not found["mse_gep_m15"]["advisory"]
    assert all(control["passed"] for control in verdict()["controls"])
    assert {c["got"] for c in verdict()["controls"] if c["control"] == "identity_copy"} == {"fails", "loses"}


def test_a_model_that_knows_passes(gate, verdict, project):
    """Right up to noise, it beats both averages; one pass a share, and a second run computes nothing again."""
    assert gate("models:Knower", *SELECT).ret == 0
    first = verdict()
    assert all(each["passed"] for each in first["verdicts"])
    passes = (project.path / "passes.txt").read_text(encoding="utf-8")
    assert sorted(passes.split()) == ["0.0", "0.15", "0.4"]
    gate("models:Knower", *SELECT)
    assert verdict()["verdicts"] == first["verdicts"]
    assert (project.path / "passes.txt").read_text(encoding="utf-8") == passes
    schema = json.loads((files("zsgate.report") / "verdict.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(first, schema)
    assert [each["masked"] for each in first["reconstruction"]] == [0.0, 0.15, 0.4]
    assert {each["noise_floor"] for each in first["reconstruction"]} == {0.25}


def test_the_papers_recipe_lets_the_unmasked_metric_decide(gate, verdict):
    """Under kedzierska2023 a model that says one number for all loses to the mean, which is fitted in sample."""
    result = gate("models:Blind", SUITE, "--recipe=kedzierska2023", "-k", "mean-mse_gep] and not gene_mean")

    assert result.ret == 1
    (found,) = verdict()["verdicts"]
    assert (found["metric"], found["outcome"], found["advisory"]) == ("mse_gep", "loses", False)
    assert verdict()["reconstruction"][0]["in_sample"]


@pytest.mark.parametrize(("model", "ret"), [("models:good", 5)])
def test_a_model_without_a_head_is_told_so(gate, model, ret):
    """Nothing is collected, and the reason is said; exit 5."""
    result = gate(model, SUITE)

    assert result.ret == ret
    result.stdout.fnmatch_lines(["*not tested: reconstruction: the candidate offers no reconstruct(dataset)*"])


@pytest.mark.parametrize("scale", ["bin", "counts", "lognorm"])
def test_who_peeks_finds_nothing_and_loses(gate, verdict, project, scale):
    """Nowhere in the AnnData is a hidden count, so who returns what it holds there loses to the mean."""
    models = project.path / "models.py"
    models.write_text(models.read_text(encoding="utf-8") + f"\n\nPeeker.scale = {scale!r}\n", encoding="utf-8")
    if scale != "bin":  # what it states of shown genes must be true
        models.write_text(models.read_text(encoding="utf-8") + STATED, encoding="utf-8")
    result = gate("models:Peeker", *SELECT, "-k", "mse_gep_m15 and mean")

    assert result.ret == 1
    found = by_metric(verdict(), "mean")
    assert (found["mse_gep_m15"]["outcome"], found["mse_gep_m15"]["passed"]) == ("loses", False)


STATED = """
def counts(self, counts):
    return counts.astype(np.float32)


Peeker.bins = counts
"""


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("models:Liar", r"states the target 1 for gene \S+ of cell \S+, whose count is "),
        ("models:LogLiar", r"states the target 1 for gene .*, whose log\(1 \+ counts scaled to 10,000 a cell\) is "),
        ("models:FallingBins", r"in a cell bins must not fall as counts rise"),
    ],
)
def test_targets_are_the_dataset_s(gate, verdict, model, says):
    """Who states targets of its own convenience fails by name, exit 1, and no verdict passes."""
    result = gate(model, SUITE, "-k", "mean-mse_gep] and not gene_mean")

    assert result.ret == 1
    assert {each["what"] for each in verdict()["failures"]} == {"candidate"}
    assert all(re.search(says, each["message"]) for each in verdict()["failures"])
    assert not verdict()["verdicts"]


def test_which_genes_are_hidden_is_not_the_model_s_to_say(gate, verdict):
    """One that takes others for hidden fails by name and is told where to look."""
    result = gate("models:Mistaken", SUITE, "-k", "mean-mse_gep_m15] and not gene_mean")

    assert result.ret == 1
    assert 'about which genes are hidden; layers["hidden"] of the AnnData says it' in str(verdict()["failures"])
