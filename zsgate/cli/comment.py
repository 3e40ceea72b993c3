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
    """Write the comment.

    Raises
    ------
    UsageProblem
        If a file is no verdict.json.
    """
    from zsgate.report.github.comment import comment
    from zsgate.report.record.stored import read

    base = None if given.against is None else read(given.against)
    put(comment(read(given.verdict), base, given.artifact), given.out)
    return 0
