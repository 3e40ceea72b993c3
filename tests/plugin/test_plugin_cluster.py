"""Others do the work: processes here or a Dask cluster's, the verdicts are the same, and nothing is done twice."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from zsgate.data.dataset import Dataset

NMI = ("-k", "nmi and (hvg or pca or random_init)")
LIMIT = 120  # seconds in which something must happen
# it writes down who embeds how many cells in which process, before and after
LOGGED = """
import os, time
from pathlib import Path
import numpy as np


class Logged:
    fingerprint = "v1"

    def __init__(self, seed=None):
        self.seed = seed

    def embed(self, adata):
        name = f"{'trained' if self.seed is None else self.seed} {adata.obs_names[0]} {adata.n_obs}"
        if adata.n_obs > 100:
            self.write("begun", name)
            if os.environ.get("PAUSE") and not Path("lost.txt").exists():
                time.sleep(float(os.environ["PAUSE"]))
        weights = np.random.default_rng(self.seed or 0).normal(size=(adata.n_vars, 12))
        rows = np.log1p(adata.X.toarray()) @ weights
        if adata.n_obs > 100:
            self.write("done", name)
        return rows

    def write(self, what, name):
        with open(Path(__file__).parent / f"{what}.txt", "a") as log:
            log.write(f"{os.getpid()} {name}\\n")

    def random_init(self, seed):
        return Logged(seed)
"""


@pytest.fixture
def logged(project, gate):
    """Return the gate with a model that keeps a log."""
    project.makepyfile(logged=LOGGED)
    return gate


def entries(project: pytest.Pytester, what: str = "done") -> list[str]:
    """Return what the model has written down, without the process."""
    log = project.path / f"{what}.txt"
    return [line.split(" ", 1)[1] for line in log.read_text().splitlines()] if log.exists() else []


def judged(record: dict[str, object]) -> list[dict[str, object]]:
    """Return all verdicts of a record, without what was computed when."""
    return sorted(record["verdicts"], key=lambda each: each["nodeid"])


def wait_for(what: str, there: object) -> None:
    """Wait until something is there."""
    end = time.monotonic() + LIMIT
    while not there():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.1)


def test_processes_of_this_machine_come_to_the_same(logged, project, verdict):
    """The same verdicts to the last bit; the candidate embeds once; a run after it embeds nothing."""
    assert logged("logged:Logged", *NMI).ret in (0, 1)
    alone = judged(verdict())
    (project.path / "done.txt").unlink()
    helped = logged("logged:Logged", *NMI, "--cluster=local:2", f"--cache={project.path / 'other'}")
    helped.stdout.fnmatch_lines(["zsgate: local:2: * units of work done"])
    helped.stdout.no_fnmatch_line("*not done by a worker*")
    assert judged(verdict()) == alone
    assert Counter(entries(project)) == Counter(dict.fromkeys(entries(project), 1))
    assert len(entries(project)) == 4
    assert all(each["cached"] for each in verdict()["timings"] if each["what"].startswith("embed "))
    assert any(each["what"] == "units: embedding random_init" for each in verdict()["timings"])


@pytest.mark.parametrize(
    ("cluster", "says"),
    [
        ("local:0", "give a number of processes, as in local:4"),
        ("local:many", "give a number of processes"),
        pytest.param("tcp://127.0.0.1:9", "no Dask scheduler answers there", marks=pytest.mark.slow),
        pytest.param("nonsense", "no Dask scheduler answers there", marks=pytest.mark.slow),
    ],
)
def test_nobody_there_is_said_before_anything_runs(logged, cluster, says):
    """Exit 4 in one sentence that names what was asked for."""
    refused = logged("logged:Logged", *NMI, f"--cluster={cluster}")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines([f"*--cluster {cluster}: *{says}*"])


def test_workers_of_two_kinds_are_refused(logged):
    """Those of pytest-xdist would each ask the cluster."""
    refused = logged("logged:Logged", *NMI, "--cluster=local:2", "-n", "2")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*--cluster and -n*leave out -n*"])


@pytest.mark.slow
def test_a_candidate_that_fails_fails_as_it_does_alone(logged, verdict):
    """Its failure is the candidate's, in the words that it has without a cluster."""
    assert logged("models:broken", *NMI).ret == 1
    alone = verdict()["failures"]
    helped = logged("models:broken", *NMI, "--cluster=local:2")
    assert helped.ret == 1
    helped.stdout.fnmatch_lines(["zsgate: not done by a worker*out of memory, as it were*"])
    assert verdict()["failures"] == alone


@pytest.mark.slow
def test_a_process_that_dies_takes_its_own_unit_only(logged, project, verdict, monkeypatch):
    """Killed while it embeds: that is embedded again, nothing else is, and the verdicts are the same."""
    assert logged("logged:Logged", *NMI).ret in (0, 1)
    alone = judged(verdict())
    for path in project.path.glob("*.txt"):
        path.unlink()
    lost = _lose_one(project, "local:2", monkeypatch)
    assert judged(verdict()) == alone
    assert Counter(entries(project)) == Counter(dict.fromkeys(entries(project), 1))
    assert Counter(entries(project, "begun")) == Counter(entries(project)) + Counter([lost])


def _lose_one(project: pytest.Pytester, cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the gate on a cluster, kill a process while it embeds, and return what it was embedding."""
    monkeypatch.setenv("PAUSE", "30")  # read by processes of this machine
    command = [sys.executable, "-m", "pytest", "--model=logged:Logged", "--tier=quick", "--datasets=cells.h5ad", *NMI]
    command += ["--label=cell_type", "--batch=sample", "--donor=donor", "-p", "no:hypothesispytest"]
    command += [f"--cluster={cluster}", f"--cache={project.path / 'other'}"]
    begun = project.path / "begun.txt"
    with subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        wait_for("embedding", lambda: begun.exists() and begun.read_text().endswith("\n"))
        process, lost = begun.read_text().splitlines()[0].split(" ", 1)
        (project.path / "lost.txt").touch()  # nobody pauses any more
        os.kill(int(process), signal.SIGKILL)
        out, _ = run.communicate(timeout=LIMIT)
    assert run.returncode in (0, 1), out.decode()
    assert b"not done by a worker" not in out
    return lost


@pytest.fixture
def scheduler(project: pytest.Pytester) -> Iterator[str]:
    """Start a Dask scheduler with two workers on this machine, as its own commands do."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("needs distributed")
    file, dask = project.path / "scheduler.json", [sys.executable, "-m", "dask"]
    beside = ["--scheduler-file", str(file), "--dashboard-address", ":0"]
    commands = (["scheduler", "--port", "0", *beside], ["worker", "--nworkers", "2", "--nthreads", "1", *beside])
    with ExitStack() as held:
        for command in commands:
            log = held.enter_context((project.path / f"{command[0]}.log").open("w"))
            environment = {**os.environ, "PAUSE": "30"}
            process = held.enter_context(
                subprocess.Popen([*dask, *command], cwd=project.path, env=environment, stdout=log, stderr=log)
            )
            held.callback(process.terminate)
            wait_for("scheduler", file.exists)
        yield json.loads(file.read_text())["address"]


@pytest.mark.slow
def test_a_worker_of_dask_that_dies_takes_its_own_unit_only(logged, project, verdict, monkeypatch, scheduler):
    """As of processes here; what was done elsewhere lies in the store, and the next run asks nobody."""
    assert logged("logged:Logged", *NMI).ret in (0, 1)
    alone = judged(verdict())
    for path in project.path.glob("*.txt"):
        path.unlink()
    lost = _lose_one(project, scheduler, monkeypatch)
    assert judged(verdict()) == alone
    assert Counter(entries(project)) == Counter(dict.fromkeys(entries(project), 1))
    assert Counter(entries(project, "begun")) == Counter(entries(project)) + Counter([lost])
    done = entries(project)
    helped = logged("logged:Logged", *NMI, f"--cluster={scheduler}", f"--cache={project.path / 'other'}")
    helped.stdout.fnmatch_lines([f"zsgate: {scheduler}: * units of work done"])
    assert judged(verdict()) == alone
    assert entries(project) == done


@pytest.fixture
def many_cells(few_cells: Dataset, project: pytest.Pytester) -> Path:
    """Write 19,000 cells of 150 genes: real ones, each thinned eighty times, so that a step has several parts."""
    rng = np.random.default_rng(0)
    rows = np.tile(np.arange(few_cells.n_cells), 80)
    genes = np.argsort(-np.asarray(few_cells.counts.sum(axis=0)).ravel())[:150]
    counts = few_cells.counts[rows][:, genes].copy()
    counts.data = rng.binomial(counts.data.astype(int), 0.5).astype(np.float32)
    counts.eliminate_zeros()
    obs = pd.DataFrame(
        {"cell_type": few_cells.cell_types[rows], "sample": few_cells.batches[rows], "donor": few_cells.donors[rows]},
        index=[f"{few_cells.cell_ids[row]}-{place}" for place, row in enumerate(rows)],
    ).astype("category")
    var = pd.DataFrame(index=pd.Index(few_cells.ensembl[genes].astype(object)))
    path = project.path / "many.h5ad"
    anndata.AnnData(counts, obs=obs, var=var).write_h5ad(path)
    return path


@pytest.mark.slow
def test_parts_of_many_cells_come_to_the_same(logged, project, verdict, many_cells):
    """Shards, twins, clusterings and halves are done one by one by others, and come to what one process comes to."""
    columns = ("--tier=quick", "--datasets=many.h5ad", "--label=cell_type", "--batch=sample", "--donor=donor")
    asked = ("-k", "nmi and (hvg or random_init)")
    assert logged("logged:Logged", *asked, columns=columns).ret in (0, 1)
    alone, shards = judged(verdict()), entries(project)
    assert len(shards) == len(set(shards)) == 8
    (project.path / "done.txt").unlink()
    helped = logged("logged:Logged", *asked, "--cluster=local:2", f"--cache={project.path / 'other'}", columns=columns)
    helped.stdout.no_fnmatch_line("*not done by a worker*")
    assert judged(verdict()) == alone
    assert sorted(entries(project)) == sorted(shards)
    units = {each["what"] for each in verdict()["timings"] if each["what"].startswith("units: ")}
    assert {"units: agreements hvg", "units: halves hvg", "units: pass random_init"} <= units
    left = [path for path in (project.path / "other" / "part").glob("*") if path.suffix != ".lock"]
    assert not left
