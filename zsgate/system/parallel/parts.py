"""Parts: a long computation that is kept bit by bit, so that what is done stays done when it is killed in between.

A part has a name, and with the key of the whole that decides its value. Whoever computes says which parts there are and
makes those that are missing (:meth:`Parts.each`); when the whole is kept, its parts are dropped (:meth:`Parts.drop`).
Others can be asked for a single part of the same computation, or for the names alone (:func:`only`, :func:`listed`):
what is left over of it is then not done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

from zsgate.system.progress import steps
from zsgate.system.store import Array, Store

KIND = "part"  # under which they are kept
Made = tuple[Array, ...]
Make = Callable[[Sequence[str]], Iterable[Sequence[Array]]]


class _Asked(BaseException):
    """Ends a computation of which nothing more is asked; no error, so no boundary to foreign code takes it for one."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the next computation in parts of this kind: the names, or one part of it."""

    what: str
    name: str | None
    names: list[str] = field(default_factory=list)


_QUESTION: ContextVar[_Question | None] = ContextVar("question", default=None)


@dataclass(frozen=True)
class Parts:
    """The parts of one computation.

    Parameters
    ----------
    store
        Where they are kept; None keeps nothing.
    what
        What kind of computation it is, such as ``"embedding"``.
    key
        JSON-able content that decides the whole.
    """

    store: Store | None = None
    what: str = ""
    key: Mapping[str, Any] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set, repr=False, compare=False)

    def each(self, names: Sequence[str], make: Make) -> list[Made]:
        """Return the arrays of each part; those that are not kept are made one after the other, and kept when made.

        A single part is not kept: it is the whole.

        Parameters
        ----------
        names
            Of all parts, in order.
        make
            Given names of some, yields the arrays of each.
        """
        question = _QUESTION.get()
        if question is not None and question.what == self.what:
            self._answer(question, names, make)
        if self.store is None or len(names) == 1:
            return [tuple(each) for each in make(names)]
        self._names.update(names)
        missing = [name for name in names if not self.store.has(KIND, self._key(name))]
        found = dict(self._made(missing, make, len(names)))
        return [found.get(name) or self._kept(name, partial(_one, make, name)) for name in names]

    def drop(self) -> None:
        """Delete the parts that were asked for: the whole is kept."""
        for name in self._names if self.store is not None else ():
            self.store.discard(KIND, self._key(name))  # type: ignore[union-attr]
        self._names.clear()

    def _made(self, missing: Sequence[str], make: Make, of: int) -> Iterator[tuple[str, Made]]:
        """Yield each part that was missing, kept before the next one is begun."""
        with steps(f"{self.what} in parts", of, "part") as advance:
            advance(of - len(missing))
            for name, made in zip(missing, make(missing) if missing else (), strict=True):
                yield name, self._kept(name, partial(_itself, made))
                advance(1)

    def _answer(self, question: _Question, names: Sequence[str], make: Make) -> None:
        if question.name is None:
            question.names.extend(names)
        elif question.name in names:
            self._kept(question.name, partial(_one, make, question.name))
        raise _Asked

    def _key(self, name: str) -> dict[str, Any]:
        return {"what": self.what, "name": name, **self.key}

    def _kept(self, name: str, make: Callable[[], Sequence[Array]]) -> Made:
        assert self.store is not None
        return self.store.arrays(KIND, self._key(name), lambda: (make(), {}))[0]


def runs(n_cells: int, most: int) -> list[tuple[int, int]]:
    """Return (start, stop) of consecutive cells, at most so many each, none much fewer than the others."""
    n_runs = max(1, -(-n_cells // most))
    return list(pairwise(n_cells * number // n_runs for number in range(n_runs + 1)))


def _one(make: Make, name: str) -> Sequence[Array]:
    (made,) = make([name])
    return made


def is_asked() -> bool:
    """Return whether only a part of some computation is asked for, so that no whole is kept or waited for."""
    return _QUESTION.get() is not None


def _itself(made: Sequence[Array]) -> Sequence[Array]:
    return made


def listed(what: str, compute: Callable[[], object]) -> list[str]:
    """Return the names of the parts of a computation, none of which is made; empty if it has none.

    Parameters
    ----------
    what
        The kind of its parts; those of other kinds are made on the way.
    compute
        The computation.
    """
    with _asked(_Question(what, None)) as question:
        compute()
    return question.names


def only(what: str, name: str, compute: Callable[[], object]) -> None:
    """Make one part of a computation, and keep it.

    Parameters
    ----------
    what, name
        The kind and the name of the part.
    compute
        The computation.
    """
    with _asked(_Question(what, name)):
        compute()


@contextmanager
def _asked(question: _Question) -> Iterator[_Question]:
    before = _QUESTION.set(question)
    try:
        yield question
    except _Asked:
        pass
    finally:
        _QUESTION.reset(before)
