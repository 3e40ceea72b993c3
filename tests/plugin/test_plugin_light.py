"""Installed and not asked for, zsgate costs nothing; asked for, it loads what it needs when it needs it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

# what reads files, computes or draws, none of which a list of tests needs, nor a run that finds everything in its store
HEAVY = {
    *("torch", "anndata", "pandas", "h5py", "zarr", "numba", "igraph", "sklearn", "scipy.stats", "scipy.spatial"),
    *("transformers", "sentence_transformers", "scvi", "lightning", "jax", "matplotlib", "IPython"),
}
WRITE_MODULES = """
import os, sys
from pathlib import Path


def pytest_unconfigure(config):
    who = os.environ.get("PYTEST_XDIST_WORKER", "main")
    Path(f"loaded-{who}.txt").write_text(" ".join(sys.modules))
"""
MODEL = """
class Light:
    fingerprint = "1"

    def embed(self, adata):
        import torch

        return torch.log1p(torch.from_numpy(adata.X[:, :100].toarray())).numpy()
"""
ALONE = ("-p", "no:zarr", "-p", "no:anyio", "-p", "no:hypothesispytest")  # plugins that load much themselves
PRINT_MODULES = "import sys\n\ndef test_own():\n    print('MODULES', *sorted(sys.modules))\n"


def modules(folder, *args: str) -> set[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if "MODULES" in line)
    return set(line.partition("MODULES ")[2].split())


def test_no_module_is_imported_but_our_own(pytester: pytest.Pytester):
    """A run without a model imports zsgate's plugin and what the standard library brings, and nothing else."""
    pytester.makepyfile(test_own=PRINT_MODULES)
    added = modules(pytester.path) - modules(pytester.path, "-p", "no:zsgate")

    foreign = {name for name in added if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"zsgate", "zsgate.plugin", "zsgate.plugin.options"}


@pytest.mark.slow
def test_start_up_is_no_slower(pytester: pytest.Pytester):
    """Loading the plugin adds less than 20 ms: the fastest of 30 interleaved runs of each side.

    On a shared machine two runs of the same command differ by 50 ms and more, either way, so that a median of
    differences says nothing. Noise only ever adds to a run, so the fastest ones are compared; and other plugins
    are left out, which cost both sides alike.
    """
    pytester.makepyfile(test_own="def test_own(): pass")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    seconds: dict[tuple[str, ...], list[float]] = {("-p", "zsgate.plugin.options"): [], (): []}
    for _ in range(30):
        for args, taken in seconds.items():
            command = [sys.executable, "-m", "pytest", "-q", *args]
            started = time.perf_counter()
            subprocess.run(command, cwd=pytester.path, env=environment, check=True, capture_output=True)
            taken.append(time.perf_counter() - started)

    with_zsgate, without = (min(taken) for taken in seconds.values())
    assert with_zsgate - without < 0.020


@pytest.fixture
def loaded(project, gate, monkeypatch):
    """Return a function that runs the gate and returns what each process of pytest had loaded in the end."""
    monkeypatch.delenv("ZSGATE_ISOLATION")
    project.makeconftest(WRITE_MODULES)
    project.makepyfile(light=MODEL)

    def loaded(model: str, *args: str, **given: tuple[str, ...]) -> dict[str, set[str]]:
        done = gate(model, *ALONE, *args, "-k", "hvg and nmi", **given)
        assert done.ret in (0, 1), done.stdout.str()
        files = list(project.path.glob("loaded-*.txt"))
        found = {path.stem.removeprefix("loaded-"): set(path.read_text(encoding="utf-8").split()) for path in files}
        for path in files:
            path.unlink()
        return found

    return loaded


def test_a_list_of_tests_loads_nothing_heavy(loaded):
    """Neither torch nor what reads files nor what draws tables is needed to say which tests there are."""
    names = loaded("cellama", "--collect-only", columns=("--tier=quick",))["main"]
    assert names & (HEAVY | {"rich"}) == set()


@pytest.mark.slow
def test_a_run_on_a_warm_store_loads_nothing_heavy(loaded):
    """What was read, embedded and scored before is served without what did that; on workers, too.

    Few cells are written for the candidate, whose own process loads what it needs to embed them.
    """
    assert "pandas" in loaded("light:Light")["main"]
    assert loaded("light:Light")["main"] & HEAVY == {"h5py"}
    workers = loaded("light:Light", "-n", "2")
    assert len(workers) == 3
    assert set().union(*workers.values()) & HEAVY == {"h5py"}
