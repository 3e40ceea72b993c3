"""A run has an end: what decides comes first, nothing is claimed of what had no turn, and the next one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

NMI = ("-k", "nmi and (hvg or pca or random_init)")
# each embedding of the candidate, or of a twin, takes as long as PAUSE says, and is written down
SLOW = """
import os, time
from models import Trained, good


class Slow(Trained):
    def embed(self, adata):
        if adata.n_obs == 240:
            with open("embedded.txt", "a") as log:
                log.write("twin\\n" if self.weights is not None else "trained\\n")
            time.sleep(float(os.environ.get("PAUSE", 0)) * (self.weights is not None))
        return good(adata) if self.weights is None else super().embed(adata)

    def random_init(self, seed):
        twin = super().random_init(seed)
        return Slow(twin.weights)
"""


@pytest.fixture
def slow(project, gate):
    """Return the gate with a model whose twins take their time."""
    project.makepyfile(slow=SLOW)
    return gate


# the time is up while the first twin is embedded, however fast this machine is
UP = """
import threading, time
from pathlib import Path
import pytest
from zsgate.plugin.budget import Budget

def ring(budget):
    while not (Path("embedded.txt").exists() and "twin" in Path("embedded.txt").read_text()):
        time.sleep(0.05)
    budget._ring()

def pytest_runtest_setup(item):
    if "random_init" in item.nodeid and "controls" not in item.nodeid:
        (budget,) = (each for each in item.config.pluginmanager.get_plugins() if isinstance(each, Budget))
        threading.Thread(target=ring, args=[budget], daemon=True).start()
"""


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)])
def test_a_run_out_of_time_is_incomplete_and_the_next_one_goes_on(slow, project, verdict, monkeypatch, workers):
    """Exit 3 and nothing claimed, with the cheap verdicts on the page; what is done is not done again."""
    monkeypatch.setenv("PAUSE", "90")
    project.makepyfile(up=UP)
    short = slow("slow:Slow", "--budget=1h", "-p", "up", *NMI, *workers)
    assert short.ret == 3
    record = verdict()
    assert record["gate"] == "incomplete"
    assert not record["failures"]
    assert {each["baseline"] for each in record["verdicts"]} == {"hvg", "pca"}
    short.stdout.fnmatch_lines(["exit 3: its budget of time was used up when * planned tests had their turn*"])
    page = (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
    assert "The run is incomplete, so nothing is claimed about" in page
    monkeypatch.setenv("PAUSE", "0")
    assert slow("slow:Slow", "--budget=1h", *NMI, *workers).ret == 0
    embedded = (project.path / "embedded.txt").read_text().split()
    assert embedded.count("trained") == 1


@pytest.mark.slow
def test_the_alarm_ends_what_is_going_on(slow, project, verdict, monkeypatch):
    """Without anybody's help: a candidate that sleeps is not waited for."""
    monkeypatch.setenv("PAUSE", "90")
    assert slow("slow:Slow", "--budget=15s", *NMI).ret == 3
    assert verdict()["gate"] == "incomplete"


@pytest.mark.slow
def test_what_is_measured_not_to_fit_is_not_begun(slow, project, verdict):
    """A machine that knows how long a step takes leaves it out, and goes on with what fits."""
    assert slow("slow:Slow", *NMI).ret == 0
    rates = project.path / "cache" / "rates.json"
    known = json.loads(rates.read_text())
    for of_machine in known.values():
        of_machine.update({"embed slow:Slow": 1e-6, "embed hvg": 1e-6, "embed pca": 1e-6, "score": 1e-9})
        of_machine["embed hvg"] = 3600.0
    rates.write_text(json.dumps(known))
    for path in (project.path / "cache").glob("embedding/*"):
        path.unlink()
    assert slow("slow:Slow", "--budget=1h", *NMI).ret == 3
    assert verdict()["gate"] == "incomplete"
    assert {each["baseline"] for each in verdict()["verdicts"]} == {"pca", "random_init"}


@pytest.mark.slow
def test_enough_time_changes_nothing(slow, verdict):
    """A run within its budget is like one without, but for the order of its tests."""
    assert slow("slow:Slow", *NMI).ret == 0
    before = {each["nodeid"]: each for each in verdict()["verdicts"]}
    assert slow("slow:Slow", "--budget=1h", *NMI).ret == 0
    assert {each["nodeid"]: each for each in verdict()["verdicts"]} == before
    baselines = [each["baseline"] for each in verdict()["verdicts"]]
    assert baselines == sorted(baselines, key=["hvg", "pca", "random_init"].index)


# the time is up when the gate's tests have had their turn, and then somebody stops the run
MINE = """
import pytest
from zsgate.plugin.budget import Budget

def test_mine(request):
    (budget,) = (each for each in request.config.pluginmanager.get_plugins() if isinstance(each, Budget))
    budget._ring()
    raise KeyboardInterrupt
"""


def test_who_stops_a_run_after_its_time_has_interrupted_it(slow, project, verdict):
    """The alarm ends tests of the gate only: with all of them judged, Ctrl-C in another test is still no pass."""
    project.makepyfile(test_mine=MINE)
    stopped = slow(
        "slow:Slow", "--budget=1h", "test_cell_type_clustering.py", "test_mine.py", "-k", "mine or hvg and nmi"
    )
    assert stopped.ret == 2
    assert verdict()["gate"] == "interrupted"
    assert [each["passed"] for each in verdict()["verdicts"]] == [True]


def test_a_budget_that_is_no_time_is_refused(slow):
    """One sentence before anything runs."""
    refused = slow("slow:Slow", "--budget=soon", *NMI)
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*--budget: cannot read 'soon' as a time such as 45m, 2h or 1h30m*"])


@pytest.mark.slow
def test_a_killed_run_leaves_what_was_known(slow, project, monkeypatch):
    """The page of a run that was killed says that it has not finished, what it knew, and that nothing is claimed."""
    monkeypatch.setenv("PAUSE", "90")
    project.makeconftest("from zsgate.plugin import so_far\nso_far.EVERY = 0.0\n")
    command = [sys.executable, "-m", "pytest", "--model=slow:Slow", "--tier=quick", "--datasets=cells.h5ad", *NMI]
    command += ["--label=cell_type", "--batch=sample", "--donor=donor", "-p", "no:hypothesispytest", "--budget=1h"]
    log = project.path / "embedded.txt"
    with subprocess.Popen(
        command, cwd=project.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as run:
        end = time.monotonic() + 60
        while not (log.exists() and "twin" in log.read_text()) and time.monotonic() < end:
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGKILL)
    record = json.loads((project.path / "zsgate-report" / "verdict.json").read_text(encoding="utf-8"))
    assert record["gate"] == "running"
    assert {each["baseline"] for each in record["verdicts"]} == {"hvg", "pca"}
    assert "planned tests have had their turn" in record["provenance"]["exit_reason"]
    page = (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
    assert "has not finished, so nothing is claimed about" in page
    monkeypatch.setenv("PAUSE", "0")
    assert slow("slow:Slow", *NMI).ret == 0
    assert log.read_text().split().count("trained") == 1


@pytest.mark.parametrize("apart", [pytest.param(True, marks=pytest.mark.slow), False], ids=["process", "none"])
def test_the_time_before_the_tests_counts(gate, project, verdict, monkeypatch, apart):
    """A model that takes too long to load: incomplete, exit 3, and nobody waits for it."""
    if apart:
        monkeypatch.delenv("ZSGATE_ISOLATION")
    project.makepyfile(late="import time\ntime.sleep(600)\n\ndef late(adata): ...")
    began = time.monotonic()
    short = gate("late:late", "--budget=6s", *NMI)
    assert time.monotonic() - began < 60
    assert short.ret == 3
    assert (verdict()["gate"], verdict()["verdicts"]) == ("incomplete", [])
    short.stderr.fnmatch_lines(["*zsgate: incomplete: its budget of time was used up, before the first test*"])
