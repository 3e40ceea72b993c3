"""Everything that reads a verdict.json: whether it refuses one, and that it claims no pass that is not there."""

from __future__ import annotations

import math
import os
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from malformed.kind import Lost, one_sentence, refusal
from zsgate.cli import main
from zsgate.config.config import Config
from zsgate.run.reference import load_reference


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


def badge(path: Path, may_pass: bool) -> bool:
    code, said = _run("badge", str(path))
    _claims("the badge", "green" in said or '"passed' in said, may_pass)
    return code != 0


def comment(path: Path, may_pass: bool) -> bool:
    code, said = _run("comment", str(path), "--against", str(path))
    title = next((line for line in said.splitlines() if line.startswith("## ")), "")
    _claims("the comment", title.endswith((" passed", " waived")), may_pass)
    return code != 0


def merge(path: Path, may_pass: bool) -> bool:
    code, _ = _run("merge", str(path), "--out", str(path.parent / "merged"))
    _claims("zsgate merge", code == 0, may_pass)
    return code == 4


def history(path: Path, may_pass: bool) -> bool:
    code, said = _run("history", str(path), "--out", str(path.parent / "history.html"))
    for line in said.splitlines():
        if not line.startswith(("not read: ", str(path.parent))):
            msg = f"several lines: {said[:500]!r}"
            raise Lost(msg)
    return code != 0


def reference(path: Path, folder: Path, document: Any) -> bool:
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
