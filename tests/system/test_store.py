"""The store: computed once, never half written, never trusted when damaged."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from kept import ARRAYS, KEY, LARGE, Counted, files

from zsgate.system.store import Store


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


def test_what_is_discarded_is_gone(store, small_is_large):
    """The archive with the arrays beside it, or the value, and nothing else; what was mapped stays readable."""
    (_, mapped, _), _ = store.arrays("embedding", KEY, lambda: LARGE)
    store.arrays("embedding", {"who": "pca"}, lambda: LARGE)
    store.json("embedding", KEY, lambda: 1)
    store.discard("embedding", KEY)
    assert not store.has("embedding", KEY)
    assert store.json("embedding", KEY, lambda: pytest.fail("made again")) == 1
    assert store.arrays("embedding", {"who": "pca"}, lambda: pytest.fail("made again"))[1] == LARGE[1]
    np.testing.assert_array_equal(mapped, LARGE[0][1])
    store.discard("embedding", KEY, ".json")
    assert len(files(store)) == 3
    for _ in range(2):
        store.discard("embedding", {"who": "pca"})
    assert files(store) == []
    store.discard("nothing of this kind", KEY)
    assert store.said == []


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
