"""Workflows: what they run exists and runs here, nothing untrusted reaches a shell, nothing of a fork a machine."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from shards import lost, shard, write

from zsgate.cli import _parser
from zsgate.config.config import Config
from zsgate.data.catalogue.tiers import TIERS
from zsgate.plugin.options import SWITCHES, VALUES

ROOT = Path(__file__).parent.parent.parent
FILES = [ROOT / "action.yml", *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
LIGHT = {"jinja2", "msgspec", "rich"}


def load(path: Path) -> dict[str, Any]:
    """Return a workflow or action; YAML 1.1 reads the key ``on`` as true."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in found.items()}


WORKFLOW = ROOT / ".github" / "workflows" / "zsgate.yml"
ACTION, GATE = load(FILES[0]), load(WORKFLOW)


def steps(file: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the steps of an action, or of every job of a workflow."""
    for job in [file["runs"]] if "runs" in file else file["jobs"].values():
        yield from job.get("steps", ())


def named(file: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (step for step in steps(file) if step.get("name") == name)
    return found


EVERY = [(path.name, step) for path in FILES for step in steps(load(path))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_event_gives_a_fork_more_than_it_has(path):
    """No workflow is of the events that run with the base's secrets, and none asks for all permissions."""
    text = path.read_text(encoding="utf-8")
    assert "pull_request_target" not in text
    assert "workflow_run" not in text
    assert "write-all" not in text
    if path.parent.name == "workflows":
        assert load(path)["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(("file", "step"), EVERY)
def test_nothing_is_pasted_into_a_shell(file, step):
    """What a script needs comes in variables: a branch's name can be a command."""
    script = step.get("run", "") + step.get("with", {}).get("script", "")
    assert "${{" not in script


@pytest.mark.parametrize(("file", "step"), [each for each in EVERY if "uses" in each[1]])
def test_actions_of_others_are_pinned(file, step):
    """To a commit, for a tag can be moved."""
    assert step["uses"].startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])


def commands(script: str) -> Iterator[list[str]]:
    """Yield the words of every call of zsgate or pytest in a script, variables left as they are."""
    for found in re.finditer(r'python"? -m (zsgate|pytest) ([^\n;)]*)', script):
        yield [found[1], *shlex.split(found[2].replace('"${against[@]}"', "--against base/verdict.json"))]


def test_every_command_exists():
    """Each call is one that the command line and the plugin take."""
    calls = [call for _, step in EVERY for call in commands(step.get("run", ""))]
    assert [call[1] for call in calls if call[0] == "zsgate"] == ["cache", "badge", "merge", "badge", "comment"]
    for program, *words in calls:
        if program == "zsgate":
            given = _parser().parse_args(words)
            assert isinstance(given, argparse.Namespace)
            assert callable(given.run)
        else:
            names = {word.partition("=")[0].removeprefix("--") for word in words}
            assert names <= {*SWITCHES, *VALUES}
    variables = {name for _, step in EVERY for name in step.get("env", {}) if name.startswith("ZSGATE_")}
    assert variables <= {f"ZSGATE_{field.name.upper()}" for field in fields(Config)}


def test_inputs_are_declared_and_used():
    """The workflow hands the action inputs that it has; each file reads those that it declares, and no others."""
    (call,) = (step for step in steps(GATE) if step.get("uses") == "./.zsgate")
    assert call["with"].keys() <= ACTION["inputs"].keys()
    for path, declared in ((FILES[0], ACTION["inputs"]), (WORKFLOW, GATE["on"]["workflow_call"]["inputs"])):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"\binputs\.([\w-]+)", text)) == declared.keys()
    assert {"model", "datasets", "tier", "gpu", "weights", "cache", "python"} <= ACTION["inputs"].keys()


def test_the_tiers_are_those_of_the_package():
    """The matrix and what is merged list a tier's datasets as the package does, and nothing for another name."""
    for text in (GATE["env"]["DATASETS"], GATE["jobs"]["shard"]["strategy"]["matrix"]["dataset"]):
        listed = re.findall(r"inputs\.tier == '(\w+)' && '(\[.*?\])'", text)
        assert {name: tuple(json.loads(names)) for name, names in listed} == TIERS
        assert re.search(r"\|\| ''\)", text)


def test_a_fork_reaches_no_runner_unasked():
    """Only known events run; a fork's pull request only in an environment, if one is named; only a comment writes."""
    jobs = GATE["jobs"]
    condition = " ".join(jobs["shard"]["if"].split())
    assert condition.startswith('contains(fromJSON(\'["push", "pull_request", ')
    assert condition.endswith(
        "&& (github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository "
        "|| inputs.forks-environment != '')"
    )
    environment = " ".join(jobs["shard"]["environment"].split())
    assert environment == (
        "${{ github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name != github.repository "
        "&& inputs.forks-environment || '' }}"
    )
    assert GATE["on"]["workflow_call"]["inputs"]["forks-environment"]["default"] == ""
    assert [name for name, job in jobs.items() if "write" in job.get("permissions", {}).values()] == ["comment"]
    assert all("checkout" not in step["uses"] for step in jobs["comment"]["steps"])
    for _, step in EVERY:
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_no_job_hangs_or_is_skipped_into_a_pass():
    """Timeouts, one run a branch, a matrix that goes on, and a required check that runs whatever became of the rest."""
    jobs = GATE["jobs"]
    assert all("timeout-minutes" in job for job in jobs.values())
    assert "github.ref" in GATE["concurrency"]["group"]
    assert jobs["shard"]["strategy"]["fail-fast"] is False
    assert (jobs["verdict"]["name"], jobs["verdict"]["if"], jobs["verdict"]["needs"]) == (
        "verdict",
        "always()",
        "shard",
    )


def test_the_cache_has_one_key():
    """No part of a key is enough to serve a copy."""
    (cache,) = (step for step in steps(ACTION) if step.get("uses", "").startswith("actions/cache"))
    assert cache["with"].keys() == {"path", "key"}
    assert cache["with"]["key"] == "${{ steps.key.outputs.key }}"


def test_the_job_that_merges_installs_what_that_needs():
    """See the test that those commands load nothing else."""
    script = named(GATE, "Install what merging needs")["run"]
    assert set(script.split()) >= LIGHT


@pytest.fixture
def shell(tmp_path):
    """Run a step's script as a runner does, with GitHub's variables set."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (folder / "python").chmod(0o755)
    hosted = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "PATH": f"{folder}:{os.environ['PATH']}",
        "DATASETS": "lab,clinic",
        "PYTHON": str(tmp_path),
    }

    def shell(step: dict[str, Any], **variables: str) -> subprocess.CompletedProcess[str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "ZSGATE_"))}
        env = {**outside, **hosted, **variables}
        assert step.get("env", {}).keys() <= env.keys()
        command = ["bash", "-e", "-c", step["run"]]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return shell


def test_the_steps_of_the_verdict_run_here(shell, tmp_path):
    """From shards to comment and badge; the check fails with the gate, with a missing shard, with a shard's job."""
    merge, failed, badge, comment = (
        named(GATE, name) for name in ("Merge", "Fail where a shard's job did", "Badge", "Comment and summary")
    )
    write(tmp_path, shard("lab"), shard("clinic"))
    assert shell(merge).returncode == 0
    assert (tmp_path / "outputs").read_text(encoding="utf-8") == "gate=passed\nexit-code=0\n"
    assert shell(failed, RESULT="success").returncode == 0
    assert shell(failed, RESULT="skipped").returncode != 0
    assert shell(badge).returncode == 0
    assert json.loads((tmp_path / "zsgate-report" / "badge.json").read_text("utf-8"))["message"] == "passed 2/2"
    (tmp_path / "base").mkdir()
    (tmp_path / "zsgate-report" / "verdict.json").rename(tmp_path / "base" / "verdict.json")

    write(tmp_path, shard("lab"), lost("clinic"))
    done = shell(merge)
    assert done.returncode == 1
    assert "::error title=zsgate%3A mine on clinic::" in done.stdout
    assert shell(comment, URL="https://host/artifact").returncode == 0
    text = (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert "https://host/artifact" in text
    assert "1 test: new loss" in text
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == text

    (tmp_path / "shards" / "zsgate-shard-1" / "verdict.json").unlink()
    assert shell(merge).returncode == 3
    (tmp_path / "shards" / "zsgate-shard-0" / "verdict.json").unlink()
    assert shell(merge).returncode == 4  # of a fork that nobody approved
    assert shell(badge).returncode == 0
    assert shell(comment, URL="").returncode == 0
    assert "unusable" in (tmp_path / "comment.md").read_text(encoding="utf-8")


def test_the_action_judges_here(shell, tmp_path):
    """Its key, its call of pytest up to the list of the tests, its badge, its link."""
    nothing = {f"ZSGATE_{name}": "" for name in ("DATASETS", "AGAINST", "WEIGHTS", "REPORT")}
    told = shell(named(ACTION, "Key of the cache"), MODEL="cellama", WEIGHTS="", DATASETS="-quick")
    assert told.returncode == 0, told.stderr
    assert re.fullmatch(r"key=zsgate-0\.1\.0-[0-9a-f]{32}\n", (tmp_path / "outputs").read_text(encoding="utf-8"))
    settings = {"ZSGATE_TIER": "quick", "ZSGATE_GPU": "false", "ZSGATE_CACHE": str(tmp_path / "cache")}
    judged = shell(
        named(ACTION, "Judge"), MODEL="cellama", PYTEST_ADDOPTS="--plan -k 'hvg and asw'", **nothing, **settings
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "pancreas_quick" in judged.stdout
    assert shell(named(ACTION, "Judge"), MODEL="", PYTEST_ADDOPTS="", **nothing, **settings).returncode == 4
    (path,) = write(tmp_path, shard("lab"))
    assert shell(named(ACTION, "Badge"), REPORT=str(Path(path).parent)).returncode == 0
    assert shell(named(ACTION, "Link it from the summary"), URL="https://host/1").returncode == 0
    assert "(https://host/1)" in (tmp_path / "summary.md").read_text(encoding="utf-8")
