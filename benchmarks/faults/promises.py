"""Promises: what must hold of every run, whatever happens to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from benchmarks.faults.gate import Ended, Project
from zsgate.run.findings.outcome import ExitCode

PASSING = ("passed", "waived")
# states that go with an exit code; "running" says "started, not finished" and goes with any but 0
STATES: dict[int, tuple[str, ...]] = {
    ExitCode.PASSED: PASSING,
    ExitCode.LOST: ("lost", "inconclusive"),
    ExitCode.INTERRUPTED: ("interrupted", "running"),
    ExitCode.BROKE: ("broke", "running"),
    ExitCode.UNUSABLE: ("unusable", "running", ""),
    ExitCode.NOTHING: ("unusable",),
}


def broken(ended: Ended, *codes: int, says: str = "", silent: bool = False) -> tuple[str, ...]:
    """Return what a run did not keep of its promises.

    Parameters
    ----------
    ended
        The run.
    *codes
        The exit codes that are right.
    says
        Pattern of the sentence that must be written, where it does not pass.
    silent
        Whether it cannot write anything, as its streams are closed.
    """
    return tuple(_broken(ended, codes, says, silent=silent))


def _broken(ended: Ended, codes: Collection[int], says: str, *, silent: bool) -> Iterator[str]:
    yield from at_any_time(ended)
    if ended.code is None:
        return
    if ended.code not in codes:
        yield f"exit {ended.code} where {' or '.join(map(str, codes))} is right{_said(ended)}"
    if ended.code > 0 and ended.state not in STATES.get(ended.code, ()) and not (silent and not ended.state):
        yield f"exit {ended.code} and {ended.state or 'no'} verdict.json"
    written = ended.out + ended.err
    if ended.code != 0 and says and not silent and not re.search(says, written, re.S):
        yield f"nothing says {says!r}{_said(ended)}"
    last = written.rpartition("INTERNALERROR>")[2]
    if last != written and f"exit {ended.code}: " not in last and "zsgate: " not in last:
        yield f"an internal error is the last word{_said(ended)}"
    if (last := ended.err.rpartition("Traceback (most recent call last)")[2]) != ended.err and "zsgate" not in last[
        -300:
    ]:
        yield f"a traceback is the last word: {last.strip()[-300:]}"


def at_any_time(ended: Ended) -> Iterator[str]:
    """Yield what a run broke of what holds however it ends."""
    if ended.code is None:
        yield f"it hangs after {ended.seconds:.0f} s{_said(ended)}"
    if ended.left:
        yield f"left behind: {'; '.join(words[:100] for words in ended.left)}"
    judged = [each for each in ended.verdicts if not each["advisory"]]
    if ended.code == 0 and (ended.state not in PASSING or not judged or not all(each["passed"] for each in judged)):
        yield f"exit 0, and verdict.json says {ended.state or 'nothing'}"
    if ended.code is not None and ended.code > 0 and ended.state in PASSING:
        yield f"exit {ended.code}, and verdict.json says {ended.state}"
    if ended.record and ended.page and ended.state.upper() not in ended.page and ended.state != "running":
        yield f"verdict.json says {ended.state}, and the page does not"


def claims_nothing(ended: Ended, calm: Ended) -> Iterator[str]:
    """Yield what verdict.json claims of a run that was killed, unless that was after all had been decided."""
    if ended.state in PASSING and ended.verdicts != calm.verdicts:
        yield f"what is left of a run that ended with {ended.code} claims {ended.state}"


def as_calm(ended: Ended, calm: Ended) -> Iterator[str]:
    """Yield where a run differs from one that nothing disturbed."""
    if ended.code != calm.code:
        yield f"exit {ended.code} where nothing disturbs it{_said(ended)}"
    elif ended.verdicts != calm.verdicts:
        yield "its verdicts are others"


def entries(project: Project) -> dict[str, int]:
    """Return the files of what is kept, with what tells whether one is still the same."""
    kinds = ("embedding", "score", "learnt", "proof", "form", "cells")
    kept = (path for kind in kinds for path in (project.store / kind).glob("[!.]*") if path.suffix != ".lock")
    return {str(path): path.stat().st_ino for path in kept}


def parts(project: Project) -> list[str]:
    """Return the files that were begun and never became what they were to be."""
    places = (project.store, project.folder / "zsgate-report")
    names = (path for place in places for path in place.rglob("*") if "runs" not in path.parts)
    return [path.name for path in names if re.match(r"\.?part-|\..*\.\d+$", path.name)]


def _said(ended: Ended) -> str:
    tail = " | ".join((ended.err.strip() or ended.out.strip()).splitlines()[-3:])[-300:]
    return f" ({tail})" if tail else ""
