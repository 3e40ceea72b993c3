"""Damage to what is kept is noticed when it is read, wherever it is: said once, not used, and made again."""

from __future__ import annotations

import numpy as np
import pytest
from kept import ARRAYS, KEY, LARGE, Counted, files

from zsgate.system.store import Store, entry

OTHER = {**KEY, "who": "pca"}


def flipped(path, place):
    """Change one byte of a file, all of its bits, and return its content as it was."""
    content = path.read_bytes()
    changed = bytearray(content)
    changed[place % len(content)] ^= 0xFF
    path.unlink()  # what is mapped stays as it is
    path.write_bytes(changed)
    return content


def found(store, made):
    """Return what a store gives, and whether it had to be made."""
    compute = Counted(made)
    return store.arrays("embedding", KEY, compute), compute.calls


def is_equal(values, known):
    """Return whether arrays and notes are the known ones, with their types."""
    pairs = zip(values[0], known[0], strict=True)
    same = all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)
    return same and values[1] == known[1]


def check_flips(store, suffix, made, places):
    """Flip one byte after the other; return how many of the flips made an entry be made again."""
    store.arrays("embedding", KEY, lambda: made)
    (path,) = store.folder.rglob(f"*{suffix}")
    noticed = 0
    for place in np.linspace(0, path.stat().st_size - 1, places).astype(int).tolist():
        flipped(path, place)
        reader = Store(store.folder)
        values, calls = found(reader, made)
        assert is_equal(values, made), place  # served or made again, it is never another value
        assert len(reader.said) == calls
        noticed += calls
    return noticed


def test_a_flipped_byte_anywhere_in_a_small_entry(store):
    """Of an archive's bytes only those that say nothing of its content may change without being noticed."""
    assert check_flips(store, ".npz", ARRAYS, 150) > 120  # the rest are dates and the like of its members


def test_a_flipped_byte_anywhere_in_a_large_array(store, small_is_large):
    """Of the file beside the archive none but the spaces that pad its header."""
    assert check_flips(store, ".1.npy", LARGE, 90) > 70
    assert check_flips(store, ".npz", LARGE, 60) > 40


def test_a_flipped_byte_anywhere_in_a_value(store):
    """A value's file is sealed from its first byte to its last."""
    store.json("score", KEY, lambda: {"asw": [[0.5, None]]})
    (path,) = store.folder.rglob("*.json")
    for place in range(path.stat().st_size):
        flipped(path, place)
        again = Counted({"asw": [[0.5, None]]})
        assert store.json("score", KEY, again) == again.value
        assert again.calls == 1, place


@pytest.mark.parametrize("mapped", [True, False])
def test_an_array_s_last_byte_counts_in_stretches(store, monkeypatch, mapped):
    """An array that is read piece by piece is read to its end."""
    monkeypatch.setattr(entry.arrays, "IN_MEMORY", 64 if mapped else 1 << 28)
    monkeypatch.setattr(entry.arrays, "STRETCH", 1000)
    rows = np.random.default_rng(0).normal(size=(997, 3)).astype(np.float32)
    store.arrays("embedding", KEY, lambda: ([rows], {}))
    (path,) = store.folder.rglob("*.npy" if mapped else "*.npz")
    for place in (path.read_bytes().find(rows[700].tobytes()), path.read_bytes().find(rows[-1].tobytes()) + 11):
        flipped(path, place)
        values, calls = found(store, ([rows], {}))
        assert (calls, is_equal(values, ([rows], {}))) == (1, True)


def test_an_entry_without_its_arrays_is_made_again(store, small_is_large):
    """The file that is missing is named."""
    store.arrays("embedding", KEY, lambda: LARGE)
    (path,) = store.folder.rglob("*.2.npy")
    path.unlink()
    values, calls = found(store, LARGE)
    assert (calls, is_equal(values, LARGE)) == (1, True)
    (said,) = store.said
    assert f"{path.name} is missing" in said


@pytest.mark.parametrize("suffix", [".npz", ".1.npy"])
def test_files_of_another_entry_are_not_taken_for_one_s_own(store, small_is_large, suffix):
    """An archive, or an array beside one, of the same kind, type and shape, but of another key."""
    others = ([LARGE[0][0], LARGE[0][1] + 1, LARGE[0][2]], LARGE[1])
    store.arrays("embedding", KEY, lambda: LARGE)
    (own,) = store.folder.rglob(f"*{suffix}")
    store.arrays("embedding", OTHER, lambda: others)
    (theirs,) = set(store.folder.rglob(f"*{suffix}")) - {own}
    content = own.read_bytes()
    own.unlink()
    own.write_bytes(theirs.read_bytes())
    theirs.unlink()
    theirs.write_bytes(content)
    assert is_equal(store.arrays("embedding", KEY, lambda: LARGE), LARGE)
    assert is_equal(store.arrays("embedding", OTHER, lambda: others), others)
    assert len(store.said) == 2


def test_what_another_format_kept_is_not_found(store, monkeypatch, capsys):
    """Neither used nor complained about: its name is another."""
    with monkeypatch.context() as patch:
        patch.setattr(entry, "FORMAT", entry.FORMAT - 1)
        store.json("score", KEY, lambda: 1)
        store.arrays("embedding", KEY, lambda: ARRAYS)
    assert not store.has("embedding", KEY)
    assert store.json("score", KEY, lambda: 2) == 2
    assert found(store, ARRAYS)[1] == 1
    assert (store.said, capsys.readouterr().err, len(files(store))) == ([], "", 4)
