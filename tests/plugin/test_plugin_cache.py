"""What lies in the cache folder never decides a run, and a machine that fails is never the model's fault."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

HVG = ("-k", "hvg and nmi")

# a fingerprint lets what it makes be kept between runs
MORE = '''
import errno, time
from models import Trained, bad, good


class Loser(Trained):
    """Noise that is kept under a fingerprint."""

    def embed(self, adata):
        return bad(adata)


def on_a_full_disk(adata):
    raise OSError(errno.ENOSPC, "No space left on device", "/var/tmp/rows")


def slow(adata):
    open("begun", "w").close()
    time.sleep(60)
'''


@pytest.fixture
def cached(project, gate):
    """Return the gate with more models, and the folder of what it keeps."""
    project.makepyfile(more=MORE)
    return gate, project.path / "cache"


def plant(cache: Path, n_cells: int = 240) -> int:
    """Put another's rows in the place of every embedding, and nothing in the place of every score."""
    placed = [*cache.glob("embedding/*.npz"), *cache.glob("score/*.json")]
    for path in placed:
        if path.suffix == ".npz":
            np.savez(path, np.eye(n_cells, 12, dtype=np.float32), notes=np.array("{}"), large=np.array("{}"))
        else:
            path.write_text("{}")
    return len(placed)


@pytest.mark.slow
def test_a_planted_embedding_or_score_changes_nothing(cached, verdict):
    """A loss stays the same loss, what was not believed is said, and a fresh run reads nothing at all."""
    gate, cache = cached
    assert gate("more:Loser", *HVG).ret == 1
    first = verdict()["verdicts"]
    assert plant(cache) > 2
    again = gate("more:Loser", *HVG)
    assert (again.ret, verdict()["verdicts"]) == (1, first)
    again.stdout.fnmatch_lines(["*is not used, for it is damaged or not zsgate's*"])
    assert [each["cached"] for each in verdict()["timings"] if each["what"].startswith("embed")] != []
    fresh = gate("more:Loser", "--fresh", *HVG)
    assert (fresh.ret, verdict()["verdicts"]) == (1, first)
    assert not any(each["cached"] for each in verdict()["timings"])


def test_a_folder_of_everybody_is_refused(cached):
    """Before anything runs, with what to do; who trusts the others says so."""
    gate, cache = cached
    cache.mkdir()
    cache.chmod(0o777)
    refused = gate("models:good", *HVG)
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*everybody can write to it*--cache-shared*"])
    assert gate("models:good", "--cache-shared", *HVG).ret == 0


def test_a_full_disk_is_not_the_model_s_fault(cached, verdict):
    """The gate broke, exit 3: not LOST, and no word of unusable output."""
    gate, _ = cached
    result = gate("more:on_a_full_disk", *HVG)
    assert result.ret == 3
    result.stdout.fnmatch_lines(["exit 3: *No space left on device (/var/tmp/rows); TMPDIR*"])
    (failure,) = verdict()["failures"]
    assert failure["what"] == "gate"
    assert "LOST" not in result.stdout.str()


def test_sigterm_ends_a_run_as_an_interrupt_does(cached, project):
    """Exit 2 and a page that says so, within seconds, while the candidate is at work."""
    command = [sys.executable, "-m", "pytest", "--model=more:slow", "--tier=quick", "--datasets=cells.h5ad", *HVG]
    command += ["--label=cell_type", "--batch=sample", "--donor=donor", "-p", "no:hypothesispytest"]
    with subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        end = time.monotonic() + 60
        while not (project.path / "begun").exists() and time.monotonic() < end:
            time.sleep(0.1)
        run.send_signal(signal.SIGTERM)
        out, _ = run.communicate(timeout=10)
    assert run.returncode == 2, out
    record = json.loads((project.path / "zsgate-report" / "verdict.json").read_text(encoding="utf-8"))
    assert record["gate"] == "interrupted"
