"""The comment of a pull request, in Markdown: the verdict, and what changed against the base branch's."""

from __future__ import annotations

import argparse
from pathlib import Path

from zsgate.cli.options import put


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments; there is one thing to do."""
    parser.add_argument("verdict", metavar="VERDICT.json", type=Path)
    parser.add_argument("--against", metavar="BASE.json", type=Path, help="verdict.json of the base branch")
    parser.add_argument("--artifact", metavar="URL", default="", help="address of the artefact that holds the page")
    parser.add_argument("--out", metavar="FILE", type=Path, help="where to (default: print it)")
    parser.set_defaults(run=write)


def write(given: argparse.Namespace) -> int:
    """Write the comment; of a base that cannot be read it says so.

    Raises
    ------
    UsageProblem
        If the file is no verdict.json, or says what its own figures contradict.
    """
    from zsgate.errors import UsageProblem
    from zsgate.report.github.comment import comment
    from zsgate.run.findings.shards.shard import read_sound

    record = read_sound(given.verdict)
    try:
        base = None if given.against is None else read_sound(given.against)
    except UsageProblem as problem:  # an older record that nobody can read keeps no change from being shown
        put(comment(record, str(problem), given.artifact), given.out)
        return 0
    put(comment(record, base, given.artifact), given.out)
    return 0
