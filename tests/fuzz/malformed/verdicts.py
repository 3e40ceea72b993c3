"""verdict.json with values changed, removed or of another type, and text that is no JSON, read by all that reads it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from malformed.documents import documents
from malformed.kind import Came, Lost, one_sentence, refusal
from zsgate.cli import main
from zsgate.config.config import Config
from zsgate.run.reference import load_reference

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
    may_pass = document is not None and _may_pass(document)
    refused = [_badge(path, may_pass), _comment(path, may_pass), _merge(path, may_pass), _history(path, may_pass)]
    refused.append(_reference(path, folder, document))
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


def _run(*words: str) -> tuple[int, str]:
    """Return (exit code, what a command prints); raises Lost where it fails by an error or says several lines."""
    out, err = StringIO(), StringIO()
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    with redirect_stdout(out), redirect_stderr(err), patch.dict(os.environ, outside, clear=True):
        code = main(words)
    if "Traceback" in err.getvalue() or code not in range(6):
        msg = f"zsgate {words[0]} exits with {code}: {err.getvalue()[-1500:]}"
        raise Lost(msg)
    if code == 4:
        one_sentence(err.getvalue().strip())
    return code, out.getvalue()


def _claims(what: str, passed: bool, may_pass: bool) -> None:
    if passed and not may_pass:
        msg = f"{what} says passed, and the record does not"
        raise Lost(msg)


def _badge(path: Path, may_pass: bool) -> bool:
    code, said = _run("badge", str(path))
    _claims("the badge", "green" in said or '"passed' in said, may_pass)
    return code != 0


def _comment(path: Path, may_pass: bool) -> bool:
    code, said = _run("comment", str(path), "--against", str(path))
    title = next((line for line in said.splitlines() if line.startswith("## ")), "")
    _claims("the comment", title.endswith((" passed", " waived")), may_pass)
    return code != 0


def _merge(path: Path, may_pass: bool) -> bool:
    code, _ = _run("merge", str(path), "--out", str(path.parent / "merged"))
    _claims("zsgate merge", code == 0, may_pass)
    return code == 4


def _history(path: Path, may_pass: bool) -> bool:
    code, said = _run("history", str(path), "--out", str(path.parent / "history.html"))
    for line in said.splitlines():
        if not line.startswith(("not read: ", str(path.parent))):
            msg = f"several lines: {said[:500]!r}"
            raise Lost(msg)
    return code != 0


def _reference(path: Path, folder: Path, document: Any) -> bool:
    """Return whether ``--against`` refuses the record; the scores that it takes are those that are written."""
    candidate: Any = SimpleNamespace(name="mine", run=None, model=None)
    settings = Config(model="mine", against=str(path))
    found, said = refusal(lambda: load_reference(candidate, settings, folder, None))  # type: ignore[arg-type]
    if said:
        return True
    if len(found.past.scores) != len(document["scores"]):
        msg = "one of two scores by one metric is taken"
        raise Lost(msg)
    for (key, score), written in zip(found.past.scores.items(), document["scores"], strict=True):
        for field in ("value", "draws", "leave_outs"):
            now, then = _numbers(getattr(score, field)), _numbers(written.get(field, ()))
            if now != then:
                msg = f"{field} of {key} is taken as {now} and written as {then}"
                raise Lost(msg)
        if not math.isnan(score.value) and not math.isclose(score.value, sum(score.draws) / len(score.draws)):
            msg = f"{key} is taken, and is not the mean of its draws"
            raise Lost(msg)
    return False


def _numbers(value: Any) -> list[float | None]:
    """Return numbers as a list in which whatever is no finite one is None."""
    every = value if isinstance(value, list | tuple) else [value]
    return [float(each) if each is not None and math.isfinite(each) else None for each in every]


def _may_pass(document: Any) -> bool:
    """Return whether all that is written lets a gate say that it passed."""
    try:
        verdicts = [each for each in document["verdicts"] if not each.get("advisory", False)]
        said = document["gate"] in ("passed", "waived") and document["provenance"]["exit_code"] in (0, 1)
        held = all(each["passed"] or each.get("waiver") for each in verdicts)
        coherent = all(map(_is_coherent, document["verdicts"]))
        controls = all(each["passed"] or each.get("advisory") for each in document.get("controls", []))
        distinct = len({each["nodeid"] for each in document["verdicts"]}) == len(document["verdicts"])
        return bool(verdicts and said and held and coherent and controls and distinct and not document.get("failures"))
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def _is_coherent(verdict: Any) -> bool:
    ours, theirs, apart, ends = (verdict.get(name) for name in ("ours", "theirs", "difference", "ci"))
    if None not in (ours, theirs, apart) and abs(abs(ours - theirs) - abs(apart)) > 1e-6:
        return False
    if ends and None not in ends and not ends[0] - 1e-6 <= apart <= ends[1] + 1e-6:
        return False
    policy, margin = verdict.get("policy", "beats"), verdict.get("margin", 0)
    if not verdict["passed"]:
        return True
    if policy == "beats" and ends and None not in ends and ends[0] <= margin:
        return False
    return bool(policy != "beats" or verdict["outcome"] == "beats")
