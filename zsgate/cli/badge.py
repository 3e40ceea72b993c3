"""A badge of a verdict, as JSON that shields.io draws: green only where the gate passed."""

from __future__ import annotations

import argparse
from pathlib import Path

from zsgate.cli.options import put


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments; there is one thing to do."""
    parser.add_argument("verdict", metavar="VERDICT.json", type=Path)
    parser.add_argument("--out", metavar="FILE", type=Path, help="where to (default: print it)")
    parser.set_defaults(run=draw)


def draw(given: argparse.Namespace) -> int:
    """Write the badge; of a file that cannot be read one that says so, and exit 4.

    Raises
    ------
    UsageProblem
        If the file is no verdict.json, or says what its own figures contradict.
    """
    from zsgate.errors import UsageProblem
    from zsgate.report.github.badge import badge, unread
    from zsgate.run.findings.shards.shard import read_sound

    try:
        record = read_sound(given.verdict)
    except UsageProblem:
        put(unread(), given.out)
        raise
    put(badge(record), given.out)
    return 0
