"""Short options: ours where nobody else owns them, loud where somebody does."""

from __future__ import annotations

import pytest

from zsgate.plugin import options as plugin

SELECT = ("-k", "hvg and asw", "--collect-only", "-q")
OWNER = """
def pytest_addoption(parser):
    parser.addoption("--{name}", action="store")
"""


@pytest.mark.slow
def test_both_spellings_and_both_names_work(project):
    """--x=v, --x v and --zsgate-x are one option, also when the value is an existing path."""
    long = [f"--zsgate-{name}" for name in ("model", "datasets", "label", "donor")]
    short = [f"--{name}" for name in ("model", "datasets", "label", "donor")]
    values = ["models:good", "cells.h5ad", "cell_type", "donor"]
    for names in (short, long):
        joined = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
        apart = [part for pair in zip(names, values, strict=True) for part in pair]
        for args in (joined, apart):
            result = project.runpytest_subprocess(*args, *SELECT)
            assert result.ret == 0, result.stderr.str()
            result.stdout.fnmatch_lines(["*test_separates_cell_types[[]cells-hvg-asw[]]*"])


def test_a_repository_that_owns_model_keeps_it(project):
    """A conftest's own --model is left alone, said aloud, and no gate runs."""
    project.makeconftest(OWNER.format(name="model"))
    project.makepyfile("def test_own(request): assert request.config.option.model == 'theirs'")
    result = project.runpytest_subprocess("--model=theirs")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["zsgate: --model belongs to another plugin or conftest*type --zsgate-model*"])
    assert not (project.path / "zsgate-report").exists()


def test_the_long_name_works_where_the_short_is_taken(project):
    """--zsgate-model starts the gate in a repository that owns --model."""
    project.makeconftest(OWNER.format(name="model"))
    result = project.runpytest_subprocess(
        "--zsgate-model=models:good", "--datasets=cells.h5ad", "--label=cell_type", "--donor=donor", *SELECT
    )

    assert result.ret == 0
    result.stdout.fnmatch_lines(["*[[]cells-hvg-asw[]]*"])


def test_an_owned_option_beside_our_model_is_refused(gate, project):
    """An option typed for the gate that somebody else owns must not be dropped: the run would be another."""
    project.makeconftest(OWNER.format(name="seeds"))
    result = gate("models:good", "--seeds=3")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--seeds belongs to another plugin or conftest*--zsgate-seeds*"])


@pytest.mark.parametrize("where", ["addopts", "environment", "pyproject"])
def test_only_the_command_line_starts_the_gate(project, monkeypatch, where):
    """Plain pytest stays plain, whatever the configuration says."""
    project.makepyfile("def test_own(): pass")
    if where == "addopts":
        project.makeini("[pytest]\naddopts = --zsgate-model=models:good")
    elif where == "environment":
        monkeypatch.setenv("ZSGATE_TIER", "nonsense")
    else:
        project.makepyprojecttoml("[tool.zsgate]\nnonsense = 1")
    result = project.runpytest_subprocess()

    assert result.ret == 0
    result.assert_outcomes(passed=1)
    said = "zsgate: --zsgate-model is in addopts and not on the command line, so no gate runs"
    assert (said in result.outlines) == (where == "addopts")


def test_without_a_model_our_short_names_are_nobody_s(project):
    """`--tier` alone is an unknown option, as it was before zsgate was installed."""
    result = project.runpytest_subprocess("--tier=quick")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*unrecognized arguments: --tier=quick*"])


def test_every_option_has_help():
    """`pytest --help` explains each option, and nothing else."""
    assert set(plugin.HELP) == {*plugin.SWITCHES, *plugin.VALUES}


def test_an_empty_model_is_refused(project):
    """`--model=$UNSET` in a CI job must not look like a gate that passed."""
    project.makepyfile("def test_own(): pass")
    result = project.runpytest_subprocess("--model=")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--model is empty*"])


def test_help_loads_nothing(project):
    """`--help` beside a model explains the options, whatever the model is."""
    result = project.runpytest_subprocess("--model=no_such_model", "--help")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["*--zsgate-model=MODEL*candidate: NAME*"])


def test_no_zsgate_switches_it_off(project):
    """-p no:zsgate is the way out."""
    project.makepyfile("def test_own(): pass")

    assert project.runpytest_subprocess("-p", "no:zsgate").ret == 0
