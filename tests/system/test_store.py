"""The store: computed once, never half written, never trusted when damaged."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from zsgate.system import arrays
from zsgate.system.files import seal
from zsgate.system.store import Store

KEY = {"who": "hvg", "dataset": "abc", "settings": {"seeds": 3, "quick": True}}


@pytest.fixture
def store(tmp_path):
    """Return a store in an empty folder."""
    return Store(tmp_path / "store")


def files(store):
    """Return the names of everything the store's folder holds, locks and parts of files included."""
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file())


class Counted:
    """A computation that counts its calls and may fail."""

    def __init__(self, value, error=None):
        self.value, self.error, self.calls = value, error, 0

    def __call__(self):
        """Return the value or fail."""
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.value


ARRAYS = ([np.arange(6, dtype=np.float32).reshape(2, 3), np.array(["β-cell", "a\nb", ""])], {"epochs": [100, 120]})


def test_a_value_is_computed_once(store):
    """The second request, also of another Store on the folder, reads what the first one kept."""
    compute = Counted({"asw": [[0.5, None], [float("inf"), "ä"]]})
    assert store.json("score", KEY, compute) == store.json("score", KEY, compute) == compute.value
    assert Store(store.folder).json("score", dict(reversed(KEY.items())), compute) == compute.value
    assert compute.calls == 1


def test_arrays_come_back_as_they_were(store):
    """Values, shapes, types (unicode too) and notes; nothing is pickled."""
    compute = Counted(ARRAYS)
    for _ in range(2):
        arrays, notes = store.arrays("embedding", KEY, compute)
        assert notes == ARRAYS[1]
        for found, known in zip(arrays, ARRAYS[0], strict=True):
            assert found.dtype == known.dtype
            np.testing.assert_array_equal(found, known)
    assert compute.calls == 1
    assert store.arrays("embedding", {"none": 0}, lambda: ([], {})) == ((), {})


@settings(max_examples=25)
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_side=0)))
def test_any_array_comes_back(array):
    """Whatever NumPy's scalar type and shape."""
    with TemporaryDirectory() as folder:
        ((kept,), _) = Store(Path(folder)).arrays("x", {}, lambda: ([array], {}))
    assert (kept.dtype, kept.shape) == (array.dtype, array.shape)
    assert kept.tobytes() == array.tobytes()


def test_objects_are_not_kept(store):
    """An array of objects would need pickle, so it is refused, and nothing is left behind."""
    with pytest.raises(TypeError, match="embedding: arrays of objects are not kept"):
        store.arrays("embedding", KEY, lambda: ([np.array(["a", None])], {}))
    assert files(store) == []


@pytest.mark.parametrize(
    "other",
    [
        {**KEY, "who": "pca"},
        {**KEY, "more": None},
        {**KEY, "settings": {"seeds": 3, "quick": False}},
        {**KEY, "settings": {"seeds": 4, "quick": True}},
    ],
)
def test_another_key_is_another_value(store, other):
    """Any change of the key's content, however deep, finds nothing."""
    assert store.json("score", KEY, lambda: 1) == 1
    assert store.json("score", other, lambda: 2) == 2
    assert store.json("score", KEY, lambda: 3) == 1
    assert store.json("partition", KEY, lambda: 4) == 4


def test_has_says_what_is_kept(store):
    """Before and after, by kind and suffix; clear forgets everything."""
    assert not store.has("embedding", KEY)
    store.arrays("embedding", KEY, lambda: ARRAYS)
    store.json("score", KEY, lambda: 1)
    assert store.has("embedding", KEY)
    assert store.has("score", KEY, ".json")
    assert not store.has("score", KEY)
    store.clear()
    assert not store.folder.exists()
    store.clear()


def test_nothing_but_the_artefact_stays(store):
    """Neither locks nor parts of files pile up."""
    for seed in range(3):
        store.arrays("embedding", {"seed": seed}, lambda: ARRAYS)
        store.json("score", {"seed": seed}, lambda: 1)
    assert sorted(Path(name).suffix for name in files(store)) == [".json"] * 3 + [".npz"] * 3


@pytest.mark.parametrize("error", [RuntimeError("no memory"), ValueError("bad"), KeyboardInterrupt(), OSError("disk")])
def test_a_failure_leaves_nothing_behind(store, error):
    """The error comes through as it is, and the next request computes anew."""
    failing = Counted(None, error)
    with pytest.raises(type(error)):
        store.arrays("embedding", KEY, failing)
    with pytest.raises(type(error)):
        store.json("score", KEY, failing)
    assert failing.calls == 2
    assert files(store) == []
    assert store.json("score", KEY, lambda: 1) == 1


def test_what_is_no_json_is_refused(store):
    """Neither a value nor a key that JSON cannot hold is kept by its looks."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        store.json("score", KEY, lambda: np.float32(1))
    with pytest.raises(TypeError, match="not JSON serializable"):
        store.json("score", {"path": Path("x")}, lambda: 1)
    assert files(store) == []


@pytest.mark.parametrize("kept", [0, 1, 10, 100, 0.5, 0.9, -1])
def test_a_damaged_file_is_computed_anew(store, kept):
    """Cut anywhere, a file is not trusted: it is written again, whole."""
    store.arrays("embedding", KEY, lambda: ARRAYS)
    store.json("score", KEY, lambda: {"a": [1, 2]})
    for path in (path for path in store.folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept][: len(content) - 1])
    again = Counted(ARRAYS)
    np.testing.assert_array_equal(store.arrays("embedding", KEY, again)[0][0], ARRAYS[0][0])
    assert store.json("score", KEY, lambda: {"a": [3]}) == {"a": [3]}
    assert again.calls == 1
    assert store.arrays("embedding", KEY, again)[1] == ARRAYS[1]
    assert (again.calls, len(files(store))) == (1, 2)


def test_a_flipped_bit_is_noticed(store):
    """Arrays carry checksums: a changed value is not served."""
    array = np.zeros(1000)
    store.arrays("embedding", KEY, lambda: ([array], {}))
    (path,) = store.folder.rglob("*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (found,), _ = store.arrays("embedding", KEY, lambda: ([array + 1], {}))
    np.testing.assert_array_equal(found, array + 1)


@pytest.fixture
def small_is_large(monkeypatch):
    """Keep every array of more than 64 bytes in a file of its own."""
    monkeypatch.setattr(arrays, "IN_MEMORY", 64)


LARGE = ([np.arange(3), np.arange(60, dtype=np.float32).reshape(20, 3), np.array(["β" * 40, "a"])], {"epochs": [1]})


def test_large_arrays_are_mapped_read_only(store, small_is_large):
    """Beside the archive, in their place among the others, with type, shape and notes; another store finds them."""
    compute = Counted(LARGE)
    for _ in range(2):
        arrays, notes = Store(store.folder).arrays("embedding", KEY, compute)
        assert notes == LARGE[1]
        for found, known in zip(arrays, LARGE[0], strict=True):
            assert found.dtype == known.dtype
            np.testing.assert_array_equal(found, known)
    assert compute.calls == 1
    assert sorted(Path(name).suffixes for name in files(store)) == [[".1", ".npy"], [".2", ".npy"], [".npz"]]
    with pytest.raises(ValueError, match="read-only"):
        arrays[1][0] = 1


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "other"])
def test_a_damaged_large_array_is_computed_anew(store, small_is_large, damage):
    """Whatever happened to its file, it is written again and what was mapped before stays as it was."""
    before = store.arrays("embedding", KEY, lambda: LARGE)[0][1]
    (path,) = store.folder.rglob("*.1.npy")
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:-5])
    elif damage == "flipped":
        content[-5] ^= 1
        path.write_bytes(content)
    elif damage == "other":
        path.write_bytes(b"not what it was" * 20)
    again = Counted(LARGE)
    np.testing.assert_array_equal(store.arrays("embedding", KEY, again)[0][1], LARGE[0][1])
    np.testing.assert_array_equal(before, LARGE[0][1])
    assert (again.calls, len(files(store))) == (1, 3)


def test_text_in_the_place_of_arrays_is_computed_anew(store):
    """A file of something else under the same name is replaced."""
    store.arrays("embedding", KEY, lambda: ARRAYS)
    store.json("score", KEY, lambda: 1)
    for path in (path for path in store.folder.rglob("*") if path.is_file()):
        path.write_bytes(b"\xffnot what it was\n" * 20)
    assert len(store.arrays("embedding", KEY, lambda: ARRAYS)[0]) == 2
    assert store.json("score", KEY, lambda: 2) == 2


def _slowly(job):
    """Ask the store for a value whose computation takes a while and writes a line to a log."""
    folder, log = job

    def compute():
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return [np.array([os.getpid()])], {}

    return int(Store(folder).arrays("embedding", KEY, compute)[0][0][0])


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_compute_once(store, tmp_path, damaged):
    """Four processes ask at once for what is missing or damaged: one computes, all get its result."""
    if damaged:
        store.arrays("embedding", KEY, lambda: ARRAYS)
        (path,) = store.folder.rglob("*.npz")
        path.write_bytes(path.read_bytes()[:99])
    log = tmp_path / "log"
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_slowly, [(store.folder, log)] * 4))
    assert log.read_text() == f"{found[0]}\n"
    assert set(found) == {found[0]}
    assert len(files(store)) == 1


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
    digest = hashlib.sha256(json.dumps(KEY, sort_keys=True).encode()).hexdigest()
    path.write_text(seal(f"score/{digest}", {"run": "", "value": 2}))
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
