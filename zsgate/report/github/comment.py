"""Comment: what a pull request shows of a run, and what changed against the base branch's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from zsgate.report.github import markdown
from zsgate.report.github.markdown import quiet
from zsgate.report.github.severity import control_words, failure_words
from zsgate.report.history.change import Change, Comparison, Kind, compare
from zsgate.report.record import Record
from zsgate.report.sentence import headline
from zsgate.report.words import LIKE, MARKS, counted

LIMIT = 60_000  # bytes; GitHub takes 65,536 characters
MOST = 50  # changes of one kind, or things that went wrong, that are listed
COMMIT = 40  # characters of a commit as it is shown


def marker(model: str) -> str:
    """Return the hidden first line by which a later run finds the comment of this model."""
    plain = re.sub(r"[^A-Za-z0-9_.:/+ ]", "_", model)[:80]
    digest = hashlib.sha256(model.encode()).hexdigest()[:8]
    return f"<!-- zsgate: {plain}{'' if plain == model else f' {digest}'} -->"


def comment(record: Record, base: Record | str | None = None, artifact: str = "") -> str:
    """Return Markdown below 60,000 bytes: marker, sentence why, link, what changed, grids.

    Parameters
    ----------
    record
        What a run found.
    base
        What a run on the base branch found, or in words why that is not known; None compares with nothing.
    artifact
        Address of the artefact that holds the page; empty shows no link.
    """
    state = LIKE[record.gate]
    wrong = [control_words(each) for each in record.controls if not each.passed and not each.advisory]
    wrong += [failure_words(each) for each in record.failures]
    lines = [marker(record.model), f"## {MARKS[state]} zsgate: {quiet(record.model or 'no model')} {record.gate}", ""]
    lines += [quiet(headline(record)), "", " · ".join(_about(record, artifact)), ""]
    lines += [f"- {quiet(said)}" for said in wrong[:MOST]] + [f"- and {len(wrong) - MOST} more"] * (len(wrong) > MOST)
    lines += [""] * bool(wrong)
    if isinstance(base, Record):
        lines += [f"### Against the base ({_commit(base)})", "", *_changed(compare(record, base)), ""]
    elif base is not None:
        lines += ["### Against the base", "", *_changed(Comparison(refused=base)), ""]
    lines += [f"- {quiet(caveat)}" for caveat in record.caveats] + [""] * bool(record.caveats)
    lines += markdown.matrices(record)
    return markdown.within(lines, LIMIT)


def _about(record: Record, artifact: str) -> Iterator[str]:
    source = record.provenance
    if artifact:
        yield f"[page and verdict.json](<{_address(artifact)}>)"
    yield f"commit {_commit(record)}"
    yield f"recipe {quiet(record.recipe.id or 'none')}"
    yield f"exit {source.exit_code}"
    yield f"zsgate {quiet(source.zsgate)}"


def _address(artifact: str) -> str:
    """Return an address that ends where it ends in Markdown, whatever is in it."""
    return re.sub(r"[<>\s\\]", lambda found: f"%{ord(found[0]):02X}", artifact)


def _commit(record: Record) -> str:
    return quiet((record.provenance.git or "unknown")[:COMMIT])


def _changed(found: Comparison) -> Iterator[str]:
    """Yield lines on what changed, and on what was not compared and why."""
    if found.refused:
        yield f"Nothing is compared: {quiet(found.refused)}."
        return
    for name, why in found.apart:
        yield f"- {quiet(name)} is not compared: {quiet(why)}."
    for kind in Kind:
        here = [change for change in found.changes if change.kind is kind]
        if here:
            yield f"- **{counted(len(here), 'test')}: {kind}**"
            yield from (f"  - {_line(change)}" for change in here[:MOST])
        if len(here) > MOST:
            yield f"  - and {len(here) - MOST} more"
    yield f"- {counted(found.n_same, 'test')} as before"


def _line(change: Change) -> str:
    dataset, baseline, metric = map(quiet, change.test)
    return f"{dataset}, {metric} against {baseline}: {quiet(change.words)}"
