"""Collected: the records that a history is made of, and the files that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from zsgate.errors import UsageProblem
from zsgate.report.record import Record
from zsgate.report.record.stored import read


@dataclass(frozen=True, slots=True)
class Collected:
    """What was found of a history.

    Attributes
    ----------
    records
        Each once, in the order in which the runs were started.
    unread
        (path, why) of files that are no record of a run.
    n_copies
        Number of files that hold a record which another file holds as well.
    """

    records: tuple[Record, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    n_copies: int = 0


def collect(places: Sequence[Path], read: Callable[[Path], Record] = read) -> Collected:
    """Return the records in files, and in every ``.json`` of folders and the folders in them.

    Parameters
    ----------
    places
        Files and folders.
    read
        Returns the record in a file, or raises UsageProblem if nothing may be shown of it.

    Raises
    ------
    UsageProblem
        If a place does not exist, or a folder holds no JSON: a history of nothing is a mistyped path.
    """
    found: dict[bytes, Record] = {}
    unread: list[tuple[str, str]] = []
    paths = list(dict.fromkeys(path for place in places for path in _files(place)))
    for path in paths:
        try:
            record = read(path)
            _ = moment(record)
        except UsageProblem as problem:
            unread.append((str(path), str(problem).removeprefix(f"{path}: ")))
        except ValueError:
            unread.append((str(path), f"it says no time at which it was started: {record.provenance.started!r}"))
        else:
            found.setdefault(msgspec.json.encode(record), record)
    records = tuple(sorted(found.values(), key=moment))
    return Collected(records, tuple(unread), len(paths) - len(unread) - len(records))


def moment(record: Record) -> datetime:
    """Return when a run was started; without a zone, UTC is meant.

    Raises
    ------
    ValueError
        If that is no time.
    """
    started = datetime.fromisoformat(record.provenance.started)
    return started if started.tzinfo else started.replace(tzinfo=UTC)


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        if not place.exists():
            msg = f"{place}: there is no such file or folder"
            raise UsageProblem(msg)
        yield place
        return
    inside = sorted(path for path in place.rglob("*.json") if path.is_file())
    if not inside:
        msg = f"{place}: no .json lies in it"
        raise UsageProblem(msg)
    yield from inside
