"""The command line: nouns and verbs, exit codes, help that loads nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from zsgate.cli import NOUNS, main
from zsgate.data.catalogue.cards import CARDS
from zsgate.errors import MachineFailed, UsageProblem


def test_the_catalogue_is_listed(capsys):
    """One line a dataset, with its name first."""
    assert main(["data", "list"]) == 0
    assert "pancreas_quick" in [line.split()[0] for line in capsys.readouterr().out.splitlines()]


def test_cache_and_mirror_are_those_of_a_run(tmp_path, monkeypatch, capsys):
    """Of the nearest pyproject.toml, relative to it; a variable counts more, and an option most."""
    (tmp_path / "pyproject.toml").write_text("[tool.zsgate]\ncache = 'kept'\nmirror = 'mirror'\noffline = true\n")
    (file,) = CARDS["pancreas"].files
    copy = tmp_path / "mirror" / "pancreas" / file.name
    copy.parent.mkdir(parents=True)
    copy.touch()
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    monkeypatch.delenv("ZSGATE_CACHE", raising=False)

    def said(*arguments):
        assert main(arguments) in (0, 1)
        return capsys.readouterr().out.splitlines()[0]

    assert said("cache", "list") == str(tmp_path / "kept")
    assert said("data", "path", "pancreas") == str(copy)
    assert said("data", "path", "pancreas", "--mirror=none").startswith(f"{file.name} is not here")
    monkeypatch.setenv("ZSGATE_CACHE", str(tmp_path / "variable"))
    assert said("cache", "list") == str(tmp_path / "variable")
    assert said("cache", "list", "--cache=typed") == str(tmp_path / "inner" / "typed")
    (tmp_path / "pyproject.toml").write_text("[tool.zsgate]\ncahce = 'kept'\n")
    assert main(["cache", "list"]) == 4


@pytest.mark.parametrize("arguments", [(), ("dta", "list"), ("data",), ("data", "lst")])
def test_what_is_no_command_exits_with_4(arguments, capsys):
    """Usage on standard error, nothing on standard output; 2 would mean "interrupted" in a run of the gate."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (4, "")
    assert said.err.startswith("usage: zsgate")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (RuntimeError("oh"), 3, "zsgate: this is a fault of zsgate, not of what was checked; please report it"),
        (MachineFailed("no room in /x"), 3, "zsgate: no room in /x"),
        (UsageProblem("no such file"), 4, "zsgate: no such file"),
    ],
)
def test_a_fault_of_zsgate_is_not_one_of_the_file(monkeypatch, capsys, error, code, says):
    """1 says that what was checked is wrong, so nothing else may leave with it."""

    def fail(*_):
        raise error

    monkeypatch.setattr("zsgate.data.check.check_file", fail)
    assert main(["data", "check", "cells.h5ad"]) == code
    assert capsys.readouterr().err.rstrip().endswith(says)


def test_help_names_every_noun_and_loads_nothing_heavy():
    """``python -m zsgate --help`` imports neither NumPy nor torch nor anndata."""
    program = "import sys, zsgate.cli as c\ntry: c.main(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    shown, _, modules = done.stdout.rstrip().rpartition("\n")
    assert done.returncode == 0
    assert all(f"    {noun}" in shown for noun in NOUNS)
    assert not {"numpy", "torch", "anndata", "pytest"} & set(modules.split())


def test_it_runs_as_a_module_and_tells_its_version():
    """``python -m zsgate --version``."""
    command = [sys.executable, "-m", "zsgate", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "zsgate")


def test_a_reader_that_stops_early_is_no_error():
    """``zsgate data list | head -0`` prints no traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "zsgate", "data", "list"]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # as in a shell: what is printed leaves at the end
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, env=buffered)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
