"""What is done of a long computation stays done; others can be asked for a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsgate.system.parallel.parts import Parts, listed, only, runs
from zsgate.system.store import Store

NAMES = ["a", "b", "c"]


class Work:
    """Squares of three numbers, in parts; fails when it comes to one that it is told to fail at."""

    def __init__(self, folder: Path, fails_at: str = "") -> None:
        self.parts = Parts(Store(folder), "squares", {"of": "letters"})
        self.fails_at = fails_at
        self.made: list[str] = []

    def make(self, names: Sequence[str]) -> Iterator[list[np.ndarray]]:
        """Yield the square of each letter."""
        for name in names:
            if name == self.fails_at:
                raise KeyboardInterrupt
            self.made.append(name)
            yield [np.array([ord(name) ** 2]), np.arange(2)]

    def whole(self) -> list[int]:
        """Return all squares."""
        return [int(square[0]) for square, _ in self.parts.each(NAMES, self.make)]


def test_what_is_done_is_not_done_again(tmp_path):
    """An interrupted computation goes on where it was; when the whole is kept its parts can go."""
    first = Work(tmp_path, fails_at="c")
    with pytest.raises(KeyboardInterrupt):
        first.whole()
    assert first.made == ["a", "b"]
    second = Work(tmp_path)
    assert second.whole() == [97**2, 98**2, 99**2]
    assert second.made == ["c"]
    second.parts.drop()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_another_key_is_another_computation(tmp_path):
    """Parts of another whole are not taken."""
    Work(tmp_path).whole()
    other = Work(tmp_path)
    other.parts = Parts(other.parts.store, "squares", {"of": "other letters"})
    other.whole()
    assert other.made == NAMES


def test_a_damaged_part_is_made_again(tmp_path):
    """A part that cannot be read is made again, the others are kept."""
    Work(tmp_path).whole()
    paths = sorted((tmp_path / "part").glob("*.npz"))
    paths[0].write_bytes(b"no archive")
    again = Work(tmp_path)
    assert again.whole() == [97**2, 98**2, 99**2]
    assert len(again.made) == 1


def test_without_a_store_all_is_made(tmp_path):
    """Nothing is kept, nor is a single part, which is the whole; a folder that cannot be written to costs nothing."""
    work = Work(tmp_path)
    work.parts = Parts()
    assert work.whole() == work.whole() == [97**2, 98**2, 99**2]
    assert work.made == 2 * NAMES
    (blocked := tmp_path / "blocked").write_text("a file")
    work = Work(blocked)
    assert work.whole() == [97**2, 98**2, 99**2]
    assert work.made == NAMES
    assert Parts(Store(tmp_path / "one"), "one", {}).each(["a"], work.make)[0][0] == [97**2]
    assert not (tmp_path / "one").exists()


def test_a_part_can_be_asked_for_alone(tmp_path):
    """The names are listed without any work; one part is made and kept; the computation then makes the others."""
    work = Work(tmp_path)
    assert listed("squares", work.whole) == NAMES
    only("squares", "b", work.whole)
    assert work.made == ["b"]
    only("squares", "b", work.whole)
    assert work.made == ["b"]
    assert work.whole() == [97**2, 98**2, 99**2]
    assert work.made == ["b", "a", "c"]


def test_parts_of_another_kind_are_made_on_the_way(tmp_path):
    """Who asks for a part of the second step gets the first step done; who asks for a strange name gets nothing."""
    first, second = Work(tmp_path / "first"), Work(tmp_path / "second")
    second.parts = Parts(second.parts.store, "sums", {})

    def both() -> None:
        first.whole()
        second.whole()

    only("sums", "a", both)
    assert (first.made, second.made) == (NAMES, ["a"])
    only("sums", "z", both)
    assert second.made == ["a"]
    assert listed("products", both) == []


@given(st.integers(1, 10**6), st.integers(1, 10**5))
def test_runs_cover_all_cells_evenly(n_cells, most):
    """They follow each other from 0 to the end, none longer than asked, none more than a cell longer than another."""
    found = runs(n_cells, max(most, n_cells // 50))
    assert found[0][0] == 0
    assert found[-1][1] == n_cells
    assert all(before[1] == after[0] for before, after in pairwise(found))
    sizes = [stop - start for start, stop in found]
    assert max(sizes) <= max(most, n_cells // 50)
    assert max(sizes) - min(sizes) <= 1
