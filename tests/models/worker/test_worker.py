"""A worker in a process of its own: what it is asked, and each way in which it can fail to answer."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from process_tree import is_running, wait_until

from zsgate.data.dataset import Dataset
from zsgate.errors import CandidateFailed, MachineFailed, UsageProblem
from zsgate.models.worker import zsgate_worker
from zsgate.models.worker.cells_file import most_bytes, write_cells
from zsgate.models.worker.client import Worker
from zsgate.models.worker.failed import WorkerFailed
from zsgate.models.worker.launch import Place, launch, launch_command
from zsgate.models.worker.process import Command, WorkerProcess

Serve = Callable[..., Worker]
HEAD = """
import os, sys, time
from pathlib import Path

import numpy as np
import zsgate_worker
from zsgate_worker import serve

def known(cells):
    ends = zip(cells.indptr, cells.indptr[1:])
    return np.stack([np.bincount(cells.indices[a:b] % 7, cells.data[a:b], 7) for a, b in ends])
"""
PLAIN = "serve(known, name='plain', fingerprint='v1')"


def known(dataset: Dataset) -> np.ndarray:
    """Return what the workers here give."""
    counts = dataset.counts
    ends = zip(counts.indptr[:-1], counts.indptr[1:], strict=True)
    return np.stack([np.bincount(counts.indices[a:b] % 7, counts.data[a:b], 7) for a, b in ends]).astype(np.float32)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Serve]:
    """Start workers of scripts, which end with the test."""
    started: list[Worker] = []
    shutil.copy(zsgate_worker.__file__, tmp_path)

    def start(script: str, *, command: str = f"{sys.executable} worker.py", **settings: object) -> Worker:
        (tmp_path / "worker.py").write_text(HEAD + dedent(script))
        limits = {name: settings.pop(name) for name in ("timeout", "memory", "device") if name in settings}
        place = Place(folder=tmp_path, scratch=tmp_path / "scratch", **limits)  # type: ignore[arg-type]
        started.append(launch_command("mine", place, {"command": command, **settings}))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


def test_a_worker_says_what_it_is_and_embeds(start: Serve, handful: Dataset):
    """Its card is what it said; its rows are those of the cells, from one process for all requests."""
    worker = start("serve(known, name='plain', fingerprint='v1', dimensions=7, code_licence='MIT', gene_ids='symbol')")
    info = worker.info
    assert (info.name, info.dimensions, info.code_licence, info.gene_ids) == ("plain", 7, "MIT", "symbol")
    assert "v1" in str(worker.fingerprint)
    assert not hasattr(worker, "random_init")
    assert not hasattr(worker, "reconstruct")
    assert not hasattr(worker, "coverage")
    some = handful.subset(np.array([5, 3]))
    assert np.array_equal(worker.embed(handful), known(handful))
    first = worker.lane._process
    assert np.array_equal(worker.embed(some), known(some))
    assert worker.lane._process is first


def test_what_a_worker_prints_is_no_answer(start: Serve, handful: Dataset):
    """Neither before it serves nor while it embeds."""
    worker = start("""
        print('{"hello": 1, "done": 2}x', flush=True)
        def loud(cells):
            print("loading...", flush=True)
            os.system("echo from a child")
            return known(cells)
        serve(loud)
    """)
    assert np.array_equal(worker.embed(handful), known(handful))


FAULTS = {
    "hangs": ("serve(lambda cells: time.sleep(60))", "its process made no progress within 1 s"),
    "exits": (
        "serve(lambda cells: os._exit(0))",
        r"ended without an answer \(exit status 0\), and so did the one that",
    ),
    "segfaults": (
        "import ctypes; serve(lambda cells: ctypes.string_at(0))",
        "was ended by SIGSEGV, and so did the one",
    ),
    "raises": ("serve(lambda cells: 1 / 0)", "ZeroDivisionError: division by zero, worker.py:12"),
    "NaN": ("serve(lambda cells: known(cells) * np.nan)", "NaN or infinite values for 40 of 40 cells"),
    "drops": ("import pandas; serve(lambda c: pandas.DataFrame(known(c)[1:], index=c.ids[1:]))", "1 cells it left out"),
    "drops rows": ("serve(lambda cells: known(cells)[1:])", "it gave 39 rows for 40 cells"),
    "adds": (
        "import pandas; serve(lambda c: pandas.DataFrame(known(c)[:2], index=['x', c.ids[0]]))",
        r"39 cells it left out .*; 1 cells it gave though nobody asked for them \(x\)",
    ),
    "repeats": (
        "import pandas; serve(lambda c: pandas.DataFrame(known(c), index=list(c.ids[:-1]) + [c.ids[0]]))",
        "more than once",
    ),
    "changes its width": (
        "zsgate_worker.PART = 20\ndef f(c, n=[6]):\n    n[0] += 1\n    return known(c)[:, : n[0] - 3]\nserve(f)",
        "rows of different widths: 4, 5",
    ),
    "one number a cell": ("serve(lambda cells: known(cells)[:, 0])", "2-D array of numbers"),
    "text": ("serve(lambda cells: [['a']] * cells.shape[0])", "2-D array of numbers"),
    "objects": ("serve(lambda cells: [[None]] * cells.shape[0])", "embed must return numbers"),
    "nothing": ("serve(lambda cells: None)", "embed must return numbers, one row a cell, not NoneType"),
    "constant": ("serve(lambda cells: np.ones((cells.shape[0], 2)))", "the same row for all 40 cells"),
    "memory": (
        "serve(lambda cells: (np.ones(2 * 10**8), time.sleep(60)))",
        "GB of memory, more than the 0.8 GB it may",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence(start: Serve, handful: Dataset, fault: str):
    """The process is ended where it does not end itself, and the next request has an answer of its own."""
    script, words = FAULTS[fault]
    limits = {"timeout": 1.0} if fault == "hangs" else {"memory": 800_000_000} if fault == "memory" else {}
    worker = start(script, **limits)
    with pytest.raises((WorkerFailed, CandidateFailed, ValueError), match=words):
        worker.embed(handful)


def test_a_crash_shows_the_last_lines_of_the_log(start: Serve, handful: Dataset):
    """Twenty of them, which is where the reason stands."""
    worker = start("""
        def crash(cells):
            for line in range(30):
                print("line", line, file=sys.stderr)
            os._exit(7)
        serve(crash)
    """)
    with pytest.raises(WorkerFailed) as caught:
        worker.embed(handful)
    note = caught.value.__notes__[0]
    assert "line 29" in note
    assert "line 10" in note
    assert "line 9\n" not in note


def test_after_a_crash_another_process_goes_on(start: Serve, handful: Dataset):
    """What was complete is not made again."""
    worker = start("""
        zsgate_worker.PART = 10
        def once(cells):
            with open("parts.txt", "a") as log:
                log.write(cells.ids[0] + "\\n")
            if len(Path("parts.txt").read_text().split()) == 3:
                os._exit(1)
            return known(cells)
        serve(once)
    """)
    assert np.array_equal(worker.embed(handful), known(handful))
    made = (worker.lane.command.folder / "parts.txt").read_text().split()
    assert made == handful.cell_ids[[0, 10, 20, 20, 30]].tolist()


def test_out_of_memory_makes_the_batch_smaller(start: Serve, handful: Dataset):
    """Until it fits, or one cell does not."""
    worker = start("""
        def greedy(cells, batch_size=None):
            if batch_size is None or batch_size > 8:
                raise MemoryError(batch_size)
            return known(cells)
        serve(greedy)
    """)
    assert np.array_equal(worker.embed(handful), known(handful))
    with pytest.raises(WorkerFailed, match="MemoryError"):
        start("def f(c, batch_size=0): raise MemoryError('no room')\nserve(f)").embed(handful)


def test_rows_come_in_the_order_of_the_cells(start: Serve, handful: Dataset):
    """A data frame says whose its rows are, so its order is its own."""
    worker = start("import pandas; serve(lambda c: pandas.DataFrame(known(c)[::-1], index=c.ids[::-1]))")
    assert np.array_equal(worker.embed(handful), known(handful))


def test_twins_have_seeds(start: Serve, handful: Dataset):
    """Each its own rows and fingerprint, the same again for the same seed."""
    worker = start("""
        def random_init(seed):
            return lambda cells: known(cells) @ np.random.default_rng(seed).normal(size=(7, 7))
        serve(known, random_init, fingerprint="v1")
    """)
    one, two = worker.random_init(1), worker.random_init(2)
    rows = one.embed(handful)
    assert not np.allclose(rows, two.embed(handful))
    assert np.array_equal(rows, one.embed(handful))
    assert len({worker.fingerprint, one.fingerprint, two.fingerprint}) == 3


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import nothing_of_the_kind", "exit status 1.* while it was loaded\n.*No module named"),
        ("os._exit(0)", "exit status 0.* while it was loaded"),
        ("serve(known, device='cpu')", "says that it runs on 'cpu'"),
        ("serve(known, stochastic=1)", "stochastic is '1'"),
        ("serve(known, reconstruct=known, scale='volts')", "scale must be one of bin, rank, counts, lognorm"),
        ("serve(known, reconstruct=known, scale='bin')", "it must have targets"),
        ("serve(known, weights=[['model.pt', 3]])", "weights is"),
        ("serve(known, notes='one')", "notes is 'one'"),
        ('print(\'{"hello": 3}\\n{"done": {}}\', flush=True); time.sleep(9)', "nothing of its model that can be"),
        ("zsgate_worker.PROTOCOL = 9; serve(known)", "protocol 9, zsgate speaks 1"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_runs(start: Serve, script: str, words: str):
    """A usage problem, with the log where there is one."""
    with pytest.raises(UsageProblem, match=f"(?s){words}"):
        start(script, device="cuda")


def test_a_folder_that_cannot_be_written_to_is_left_alone(start: Serve, handful: Dataset, tmp_path: Path):
    """Cells and answers lie in a temporary one."""
    (tmp_path / "scratch").write_text("no folder")
    worker = start(PLAIN)
    assert np.array_equal(worker.embed(handful), known(handful))
    assert (tmp_path / "scratch").read_text() == "no folder"


def test_what_a_table_says_of_a_model_decides_how_it_is_asked(start: Serve, handful: Dataset):
    """One that looks across cells is given all of them at once, whoever says that it does."""
    script = "zsgate_worker.PART = 10\nserve(lambda cells: known(cells) - known(cells).mean(axis=0))"
    across = known(handful) - known(handful).mean(axis=0)
    assert np.allclose(start(script, independent_cells=False).embed(handful), across, atol=1e-4)
    assert not np.allclose(start(script).embed(handful), across, atol=1e-4)


def test_torch_that_uses_no_gpu_is_refused_where_one_is_asked_for(start: Serve, handful: Dataset):
    """What a worker does not say is seen after it has embedded; what it does say counts."""
    with pytest.raises(CandidateFailed, match="it computed on the CPU although --gpu was given"):
        start("import torch\nserve(known)", device="cuda").embed(handful)
    assert np.array_equal(start(PLAIN, device="cuda").embed(handful), known(handful))


PREDICTS = """
    seen = []
    def reconstruct(cells, masked, seed):
        seen.append((masked, seed))
        hidden = np.zeros(len(cells.data), bool) if cells.hidden is None else cells.hidden
        yield {
            "cells": np.arange(cells.shape[0]), "offsets": cells.indptr, "genes": cells.indices, "target": cells.data,
            "predictions": {"gep": np.full(len(hidden), len(seen), np.float32)}, "scale": "counts", "masked": hidden,
        }
    serve(known, reconstruct=reconstruct, scale="counts")
"""


def test_what_was_shown_is_not_remembered(start: Serve, handful: Dataset):
    """A process that has seen whole counts, or cells with fewer genes hidden, is not asked about hidden ones."""
    worker = start(PREDICTS)

    def asked_before(masked: float) -> int:
        (part,) = worker.reconstruct(handful, masked=masked)
        return int(part.predictions["gep"][0]) - 1

    assert asked_before(0.15) == 0
    assert asked_before(0.15) == 1  # the same again tells nothing new
    assert asked_before(0.4) == 0
    assert asked_before(0.0) == 1
    assert asked_before(0.4) == 0
    worker.embed(handful)
    assert asked_before(0.4) == 0


def test_a_program_that_is_not_there(start: Serve):
    """It is named."""
    with pytest.raises(UsageProblem, match="cannot start 'no-such-program'"):
        start("", command="no-such-program --serve")


def test_a_worker_ends_with_all_that_it_started(start: Serve, handful: Dataset):
    """Also what it left running."""
    worker = start(
        "import subprocess; child = subprocess.Popen(['sleep', '600']); serve(lambda c: known(c) + child.pid)"
    )
    child = int(worker.embed(handful)[0, 0] - known(handful)[0, 0])
    assert is_running(child)
    worker.close()
    assert wait_until(lambda: not is_running(child), 5)
    assert list((worker.lane.command.folder / "scratch").iterdir()) == []


def test_a_worker_ends_when_whoever_asks_is_killed(tmp_path: Path):
    """It reads the end of its questions."""
    shutil.copy(zsgate_worker.__file__, tmp_path)
    (tmp_path / "worker.py").write_text(
        "import os; from zsgate_worker import serve; serve(print, name=str(os.getpid()))"
    )
    script = f"""
        import os
        from pathlib import Path
        from zsgate.models.worker.launch import Place, launch_command
        worker = launch_command("mine", Place(folder=Path.cwd()), {{"command": "{sys.executable} worker.py"}})
        print(worker.info.name, flush=True)
        os.kill(os.getpid(), 9)
    """
    found = subprocess.run(
        [sys.executable, "-c", dedent(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert wait_until(lambda: not is_running(int(found.stdout)), 20)


SHOT = """
    import h5py
    given, written = sys.argv[1:3]
    cells = zsgate_worker.Cells(given)
"""


def test_a_command_may_embed_one_file_and_end(start: Serve, handful: Dataset):
    """It says nothing; its table in pyproject.toml does."""
    command = f"{sys.executable} worker.py {{input}} {{output}}"
    worker = start(
        SHOT + "    np.savez(written, X=known(cells), ids=cells.ids.astype(str))", command=command, fingerprint="a"
    )
    assert np.array_equal(worker.embed(handful), known(handful))
    assert worker.info.name == "mine"
    other = start(
        SHOT + "    np.savez(written, X=known(cells) + 1, ids=cells.ids.astype(str))", command=command, fingerprint="a"
    )
    assert other.fingerprint != worker.fingerprint  # the script is another one
    with pytest.raises(CandidateFailed, match="it gave no rows at all"):
        start(SHOT, command=command).embed(handful)
    with pytest.raises(WorkerFailed, match="exit status 5"):
        start("    sys.exit(5)".strip(), command=command).embed(handful)
    with pytest.raises(UsageProblem, match=r"no \{output\}"):
        start(SHOT, command=f"{sys.executable} worker.py {{input}}")


def test_a_command_may_write_an_anndata(start: Serve, handful: Dataset):
    """And be told the seed of a twin."""
    script = SHOT + (
        "    adata = cells.to_anndata()\n"
        "    adata.obsm['X_mine'] = known(cells) + (float(sys.argv[3]) if sys.argv[3] else 0)\n"
        "    adata.write_h5ad(written)"
    )
    worker = start(script, command=f"{sys.executable} worker.py {{input}} {{output.h5ad}} '{{twin}}'")
    assert np.array_equal(worker.random_init(3).embed(handful), known(handful) + 3)
    assert np.array_equal(worker.embed(handful), known(handful))


DAEMON = """
def leaves(cells):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            Path("left").write_text(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    while not (Path("left").exists() and Path("left").read_text()):
        time.sleep(0.01)
    {then}
serve(leaves)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found as Linux shows them")
@pytest.mark.parametrize("then", ["return known(cells)", "time.sleep(600)"])
def test_what_a_worker_started_in_a_session_of_its_own_is_ended(
    start: Serve, handful: Dataset, tmp_path: Path, then: str
):
    """A process that left its group and has another parent goes with the worker: at its end, and at a limit."""
    worker = start(DAEMON.format(then=then), timeout=1)
    with suppress(WorkerFailed):
        worker.embed(handful)
    left = int((tmp_path / "left").read_text())
    assert is_running(left) == then.startswith("return")
    worker.close()
    assert not is_running(left)


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT", "EFBIG"])
def test_a_full_disk_is_nobody_s_failure(start: Serve, handful: Dataset, number: str):
    """Whoever of the worker's process meets it: the machine failed, with a remedy."""
    worker = start(f"""
        import errno
        def full(cells):
            raise OSError(errno.{number}, os.strerror(errno.{number}))
        serve(full)
    """)
    with pytest.raises(MachineFailed, match=r"OSError: .*worker.py:\d+; TMPDIR and --cache name folders with room"):
        worker.embed(handful)


def test_no_room_for_the_cells_is_said_before_they_are_written(handful: Dataset, tmp_path: Path):
    """HDF5 ends the process where the disk is full; here a limit is the disk, and nothing is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(MachineFailed, match=r"no room for .* MB in .*too large.*TMPDIR and --cache"):
            write_cells(handful, tmp_path / "cells.h5ad")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hidden", [None, (0.5, 0)])
def test_a_file_of_cells_is_no_larger_than_foreseen(
    few_cells: Dataset, tmp_path: Path, hidden: tuple[float, int] | None
):
    """And not much smaller, so that no disk with room is refused; with batches and hidden counts, too."""
    path = tmp_path / "cells.h5ad"
    write_cells(few_cells, path, batches=True, expression=True, hidden=hidden)
    foreseen = most_bytes(few_cells, copied=True, hidden=hidden is not None)
    assert path.stat().st_size <= foreseen <= 1.5 * path.stat().st_size


def test_an_interrupt_of_its_process_is_no_failure(handful: Dataset, tmp_path: Path):
    """A model of one's own: whoever sends one there means the run, which is told elsewhere."""
    source = "import os\n\ndef embed(adata):\n    os.kill(os.getpid(), 2)\n    return adata.X[:, :5].toarray()\n"
    (tmp_path / "interrupted.py").write_text(source)
    worker = launch("interrupted:embed", Place(folder=tmp_path))
    try:
        assert worker.embed(handful).shape == (40, 5)
    finally:
        worker.close()


def test_no_process_more_is_nobody_s_failure(tmp_path: Path):
    """Where the system gives no further file descriptor the machine failed, and the limit is named."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    try:
        with pytest.raises(MachineFailed, match=r"cannot start 'true' in .*Too many open files.*ulimit"):
            WorkerProcess(Command(("true",), tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
