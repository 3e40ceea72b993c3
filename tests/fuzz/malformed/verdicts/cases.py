"""verdict.json with values changed, removed or of another type, and text that is no JSON, read by all that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from malformed.kind import Came, Lost
from malformed.verdicts import claims, readers
from malformed.verdicts.documents import documents

ODD = (None, True, False, "", "NaN", "beats", "passed", -1, 0, 1, 2.5, -0.3, 1e300, 10**30, [], [None], {}, {"a": 1})
HOT = ("gate", "outcome", "passed", "difference", "ours", "theirs", "ci", "exit_code", "n_selected", "draws", "value")
HOT += ("leave_outs", "policy", "margin", "waiver", "advisory", "metric", "dataset", "nodeid", "controls", "withdrawn")
RAW = (b"", b"null", b"[]", b"{}", b"\xff", b"[" * 20_000, b'{"a":' * 20_000, b"\xef\xbb\xbf{}", b"{" + b" " * 100_000)
NEUTRAL = ("nothing", "spaces", "unknown keys", "other order")
OPERATIONS = ("change", "change", "change", "nudge", "remove", "repeat", "swap")
TEXT = ("cut", "flip", "NaN", "huge", "twice", "deep")


@dataclass(frozen=True)
class Case:
    """A document and what is done to it.

    Attributes
    ----------
    document
        Name of the record.
    changes
        (operation, which place, value) in turn.
    text
        (operation on its text, where), or None.
    raw
        The bytes of a file that is none; None writes the document.
    """

    document: str = "passing"
    changes: tuple[tuple[str, int, Any], ...] = ()
    text: tuple[str, int] | None = None
    raw: bytes | None = None


@cache
def cases() -> st.SearchStrategy[Case]:
    """Return documents with one to three changes, mostly to what decides."""
    places = st.integers(0, 10**6)
    change = st.tuples(st.sampled_from(OPERATIONS), places, st.one_of(st.sampled_from(ODD), st.floats(), st.text()))
    names = st.sampled_from(("passing", "passing", "passing", "waived", "lost", "rich", "broken"))
    changes = st.lists(change, min_size=1, max_size=3).map(tuple)
    neutral = st.tuples(st.sampled_from(NEUTRAL), st.just(0), st.none()).map(lambda each: (each,))
    text = st.tuples(st.sampled_from(TEXT), places)
    kinds = (
        st.builds(Case, names, changes),
        st.builds(Case, names, neutral),
        st.builds(Case, names, st.just(()), text),
        st.builds(Case, raw=st.one_of(st.sampled_from(RAW), st.binary(max_size=9))),
    )
    return st.sampled_from([0, 0, 0, 0, 0, 1, 2, 2, 3]).flatmap(lambda which: kinds[which])


def check(case: Case, folder: Path) -> Came:
    """Return what came; a pass is claimed only where everything that is written says so."""
    path = folder / "verdict.json"
    path.write_bytes(content := _content(case))
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    neutral = all(name in NEUTRAL for name, *_ in case.changes) and case.raw is None and case.text is None
    may_pass = document is not None and claims.may_pass(document)
    refused = [
        readers.badge(path, may_pass),
        readers.comment(path, may_pass),
        readers.merge(path, may_pass),
        readers.history(path, may_pass),
    ]
    refused.append(readers.reference(path, folder, document))
    if neutral and any(refused[:2]):
        msg = f"a sound record is refused: {refused}"
        raise Lost(msg)
    return Came.REFUSED if all(refused) else Came.ACCEPTED


def _content(case: Case) -> bytes:
    if case.raw is not None:
        return case.raw
    document = json.loads(documents()[case.document])
    for operation, place, value in case.changes:
        _change(document, operation, place, value)
    if any(name == "other order" for name, *_ in case.changes):
        document = dict(reversed(document.items()))
    spaces = 4 if any(name == "spaces" for name, *_ in case.changes) else None
    text = json.dumps(document, indent=spaces)
    return text.encode() if case.text is None else _retold(text, *case.text)


def _places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of everything in a document."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*where, key)
        yield from _places(inner, (*where, key))


def _change(document: Any, operation: str, place: int, value: Any) -> None:
    if operation == "unknown keys":
        document["of a later version"] = {"x": [1, None]}
    if operation not in OPERATIONS:
        return
    every = list(_places(document))
    hot = [each for each in every if HOT.count(each[-1])] or every
    *above, key = (hot if place % 3 else every)[place % len(hot if place % 3 else every)]
    holder = document
    for step in above:
        holder = holder[step]
    old = holder[key]
    if operation == "remove":
        del holder[key]
    elif operation == "repeat" and isinstance(old, list):
        old.extend(old[:1])
    elif operation == "nudge" and isinstance(old, int | float) and not isinstance(old, bool):
        holder[key] = old + 0.07 if isinstance(old, float) else old + 1
    elif operation == "swap" and isinstance(old, bool):
        holder[key] = not old
    else:
        holder[key] = value


def _retold(text: str, operation: str, place: int) -> bytes:
    at = place % len(text)
    colon = text.find(": ", at) + 2 if ": " in text[at:] else text.find(": ") + 2
    end = colon + len(text[colon:].split(",")[0])
    told: dict[str, Callable[[], str]] = {
        "cut": lambda: text[:at],
        "flip": lambda: text[:at] + chr(33 + place % 90) + text[at + 1 :],
        "NaN": lambda: text[:colon] + ("NaN", "-Infinity", "1e999")[place % 3] + text[end:],
        "huge": lambda: text[:colon] + "9" * (400, 5000)[place % 2] + text[end:],
        "twice": lambda: text[:-1] + ', "gate": "passed"}',
        "deep": lambda: text[:colon] + "[" * 3000 + "]" * 3000 + text[end:],
    }
    return told[operation]().encode("utf-8", "surrogatepass")
