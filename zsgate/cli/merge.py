"""One verdict of the shards of a run, each judged on other datasets: fails where one is missing or of another run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zsgate.report.record import Record
    from zsgate.run.findings.shards.merge import Whole


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments; there is one thing to do."""
    parser.add_argument("shards", metavar="VERDICT.json", nargs="+", type=Path, help="of each shard")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("zsgate-report"), help="default: zsgate-report")
    whole = parser.add_mutually_exclusive_group()
    whole.add_argument("--expect", metavar="N", type=_positive, help="how many shards there must be")
    whole.add_argument(
        "--datasets",
        metavar="NAME,...",
        help="what must have been judged on, by name or tier (default: what the project judges on)",
    )
    parser.set_defaults(run=merge_shards)


def merge_shards(given: argparse.Namespace) -> int:
    """Write the page and verdict.json of the whole run, and return its exit code.

    Raises
    ------
    UsageProblem
        If a file is damaged or of another run; the page then says that there is no verdict.
    """
    from zsgate.errors import UsageProblem
    from zsgate.report.record import GateState, Provenance, Record

    whole = _whole(given)
    target = given.out / "verdict.json"
    if any(path.resolve() == target.resolve() for path in given.shards):
        msg = f"--out {given.out}: the merged verdict would replace {target}, which is one of the shards"
        raise UsageProblem(msg)
    try:
        record = _merged(given.shards, whole)
    except UsageProblem as problem:
        source = Provenance(command=whole.command, exit_code=4, exit_reason=str(problem))
        nothing = Record(gate=GateState.UNUSABLE, model="", provenance=source)
        _write(nothing, given.out)
        _announce(nothing)
        raise
    _write(record, given.out)
    _tell(record, given.out)
    _announce(record)
    return int(record.provenance.exit_code or 0)


def _merged(paths: list[Path], whole: Whole) -> Record:
    from zsgate.report.record.stored import read
    from zsgate.run.findings.shards.merge import merge
    from zsgate.run.findings.shards.shard import Shard

    return merge([Shard(str(path), read(path)) for path in paths], whole)


def _whole(given: argparse.Namespace) -> Whole:
    """Return what the shards are to be together."""
    import shlex

    from zsgate.data.catalogue.tiers import TIERS
    from zsgate.data.file.path import is_file
    from zsgate.run.findings.shards.merge import Whole

    command = shlex.join(["zsgate", "merge", *map(str, given.shards)])
    if given.datasets is None:
        return Whole(n_shards=given.expect, command=command)
    named = [name.strip() for name in given.datasets.split(",") if name.strip()]
    every = [name for entry in named for name in TIERS.get(entry, (Path(entry).stem if is_file(entry) else entry,))]
    tier = named[0] if len(named) == 1 and named[0] in TIERS else ""
    return Whole(datasets=tuple(dict.fromkeys(every)), tier=tier, command=f"{command} --datasets={given.datasets}")


def _write(record: Record, folder: Path) -> None:
    """Write the pages in the place of those that are there, which move to ``previous/``."""
    from zsgate.errors import MachineFailed
    from zsgate.report import begin

    try:
        begin(record, folder)
    except OSError as error:
        msg = f"--out {folder}: cannot write there ({error.strerror or error})"
        raise MachineFailed(msg) from None


def _tell(record: Record, folder: Path) -> None:
    """Print the table, the exit code with its reason, and where the page is."""
    from zsgate.report.terminal import table

    print(table(record), end="")
    print(f"exit {record.provenance.exit_code}: {record.provenance.exit_reason}")
    print(f"page: {folder / 'index.html'}")


def _announce(record: Record) -> None:
    """Tell the runner of a workflow; the summary is that of ``zsgate comment``, which knows more."""
    import os

    from zsgate.errors import MachineFailed
    from zsgate.report.github.publish import announce

    try:
        announce(record, os.environ, sys.stdout)
    except OSError as error:
        msg = f"the outputs of the step cannot be written ({error.strerror or error})"
        raise MachineFailed(msg) from None


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = "at least 1"
        raise argparse.ArgumentTypeError(msg)
    return number
