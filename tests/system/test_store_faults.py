"""The store believes nothing that was damaged or planted, and a folder that cannot be used costs time only."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kept import KEY, LARGE, Counted, files

from zsgate.system.files import seal
from zsgate.system.store import Store
from zsgate.system.store.entry import name_of

NOT_OURS = ["{}", "null", "[]", "[[0.5]]", '{"value": 9}', '{"sha256": "", "value": 9}', "NaN", "[" * 100_000]


@pytest.mark.parametrize("planted", NOT_OURS)
def test_a_value_that_is_not_sealed_is_made_again(store, planted, capsys):
    """Any JSON under the right name but without the right digest; it is said once, and the file is good again."""
    store.json("score", KEY, lambda: {"asw": [[0.5]]})
    (path,) = store.folder.rglob("*.json")
    path.write_text(planted)
    assert store.json("score", KEY, lambda: {"asw": [[0.25]]}) == {"asw": [[0.25]]}
    assert store.json("score", KEY, lambda: pytest.fail("made a third time")) == {"asw": [[0.25]]}
    said = capsys.readouterr().err
    assert said.count("is not used, for it is damaged or not zsgate's") == len(store.said) == 1
    assert str(path) in said


def test_a_changed_value_is_made_again(store):
    """A score edited in place has no longer its digest; nor has one that was copied under another key's name."""
    store.json("score", KEY, lambda: {"asw": [[0.125]]})
    (path,) = store.folder.rglob("*.json")
    content = path.read_text()
    path.write_text(content.replace("0.125", "0.875"))
    assert store.json("score", KEY, lambda: {"asw": [[0.25]]}) == {"asw": [[0.25]]}
    other = {**KEY, "who": "pca"}
    store.json("score", other, lambda: 1)
    (beside,) = set(store.folder.rglob("*.json")) - {path}
    beside.write_text(content)
    assert store.json("score", other, lambda: 2) == 2


@pytest.mark.parametrize("planted", [[np.ones((2, 3))], [np.ones((5, 5))], [], [np.ones(4)] * 3])
def test_planted_arrays_are_made_again(store, planted):
    """Of the right shape or another: without an entry's header, or with that of another key, they are not believed."""
    store.arrays("embedding", KEY, lambda: ([np.zeros((2, 3))], {}))
    (path,) = store.folder.rglob("*.npz")
    np.savez(path, *planted, notes=np.array("{}"), large=np.array("{}"))
    assert store.arrays("embedding", KEY, lambda: ([np.zeros((2, 3))], {}))[0][0].sum() == 0
    store.arrays("embedding", {"who": "planter"}, lambda: (planted, {}))
    (beside,) = set(store.folder.rglob("*.npz")) - {path}
    path.write_bytes(beside.read_bytes())
    ((found,), _) = store.arrays("embedding", KEY, lambda: ([np.zeros((2, 3))], {}))
    assert (found.shape, found.sum()) == ((2, 3), 0)
    assert len(store.said) == 2


def test_an_array_under_a_header_of_another_is_made_again(store):
    """The header says what the arrays are: other numbers, another shape or type behind it are noticed."""
    (kept,) = ([np.arange(6.0).reshape(2, 3)],)
    for other in (kept[0] + 1, kept[0].reshape(3, 2), kept[0].astype(np.float32)):
        store.clear()
        store.arrays("embedding", KEY, lambda: (kept, {}))
        (path,) = store.folder.rglob("*.npz")
        with np.load(path) as archive:
            header = archive["entry"]
        np.savez(path, other, entry=header)
        compute = Counted((kept, {}))
        np.testing.assert_array_equal(store.arrays("embedding", KEY, compute)[0][0], kept[0])
        assert compute.calls == 1


def test_what_a_forger_can_do_is_known(store):
    """Whoever can write to the folder can seal a value: the digest is no signature, as the module says."""
    store.json("score", KEY, lambda: 1)
    (path,) = store.folder.rglob("*.json")
    path.write_text(seal(name_of("score", KEY), {"run": "", "value": 2}))
    assert store.json("score", KEY, lambda: 1) == 2
    assert Store(store.folder, "release", fresh=True).json("score", KEY, lambda: 1) == 1


def test_a_fresh_store_reads_only_what_its_run_wrote(store):
    """Of another run nothing, of its own everything, also by another process of the run; all is kept for later runs."""
    store.json("score", KEY, lambda: 1)
    store.arrays("embedding", KEY, lambda: ([np.ones(3)], {}))
    first, second = (Store(store.folder, "release", fresh=True) for _ in range(2))
    assert not first.has("embedding", KEY)
    assert not first.has("score", KEY, ".json")
    assert first.json("score", KEY, lambda: 2) == second.json("score", KEY, lambda: 3) == 2
    for fresh in (first, second):
        assert fresh.arrays("embedding", KEY, lambda: ([np.zeros(3)], {}))[0][0].sum() == 0
        assert fresh.has("embedding", KEY)
        assert fresh.said == []
    assert Store(store.folder, "next").json("score", KEY, lambda: 4) == 2
    assert Store(store.folder, "next", fresh=True).json("score", KEY, lambda: 5) == 5


@pytest.fixture(params=["a file in its place", "no locks", "no room"])
def unusable(request, tmp_path, monkeypatch):
    """Return a store in a folder that cannot be used, and what is said of it."""
    folder = tmp_path / "store"
    if request.param == "a file in its place":  # as good as a folder without leave to write: root has leave everywhere
        folder.write_text("")
        return Store(folder), "cannot be written to or locked"
    if request.param == "no locks":
        failing = raising(errno.ENOLCK)
        monkeypatch.setattr(fcntl, "flock", failing)
        return Store(folder), "No locks available"
    monkeypatch.setattr(np, "savez", raising(errno.ENOSPC))
    monkeypatch.setattr(Path, "write_text", raising(errno.ENOSPC))
    return Store(folder), "No space left on device"


def raising(number):
    """Return a function that fails as the system does."""

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


def test_what_cannot_be_kept_is_used_all_the_same(unusable, capsys):
    """The value comes as JSON has it, the arrays as they were; folder and remedy are said once; nothing stays."""
    store, said = unusable
    compute = Counted({"a": (1, 2)})
    for _ in range(2):
        assert store.json("score", KEY, compute) == {"a": [1, 2]}
        ((found,), notes) = store.arrays("embedding", KEY, lambda: ([np.arange(3)], {"epochs": (1,)}))
        assert (found.tolist(), notes) == ([0, 1, 2], {"epochs": [1]})
    assert compute.calls == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(store.said) == 2  # of scores, and of embeddings
    assert all(said in line and "--cache DIR or ZSGATE_CACHE" in line and "is not kept" in line for line in lines)
    assert not store.folder.is_dir() or files(store) == []


def test_large_arrays_that_do_not_fit_leave_nothing(store, small_is_large, monkeypatch):
    """What was written of an entry before the disk was full is removed: half of it is of no use and takes room."""
    monkeypatch.setattr(np, "savez", raising(errno.ENOSPC))
    found, _ = store.arrays("embedding", KEY, lambda: LARGE)
    np.testing.assert_array_equal(found[1], LARGE[0][1])
    assert files(store) == []


def test_an_error_of_the_computation_is_no_fault_of_the_store(store):
    """An OSError that the model raises is raised, not taken for a full disk, and computed once only."""
    failing = Counted(None, OSError(errno.ENOSPC, "of the model's own"))
    with pytest.raises(OSError, match="of the model's own"):
        store.arrays("embedding", KEY, failing)
    assert (failing.calls, store.said) == (1, [])


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another account")
def test_another_account_s_folder_costs_time_only(tmp_path):
    """A sub-folder of somebody else, in a process of an account without leave: computed, said, not kept."""
    (tmp_path / "score").mkdir()
    for place in (tmp_path, *tmp_path.parents[:3]):
        place.chmod(0o755)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom zsgate.system.store import Store\n"
        "import filelock\nos.setgid(54321); os.setuid(54321)\n"
        "print(Store(Path(sys.argv[1])).json('score', {}, lambda: 7))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "7\n")
    assert done.stderr.startswith(f"zsgate: {tmp_path}/score cannot be written to or locked (Permission denied)")
