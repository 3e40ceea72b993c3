"""A page of verdicts and differences over commits, of any number of verdict.json."""

from __future__ import annotations

import argparse
from pathlib import Path

from zsgate.cli.options import put


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments; there is one thing to do."""
    parser.add_argument(
        "places", metavar="DIR|VERDICT.json", nargs="+", type=Path, help="of a folder, every .json in it"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("history.html"), help="default: history.html")
    parser.set_defaults(run=draw)


def draw(given: argparse.Namespace) -> int:
    """Write the page and print where it is; 1 if a file could not be read, which the page lists.

    Raises
    ------
    UsageProblem
        If a place does not exist, or a folder holds no JSON.
    """
    from zsgate.report.history.collected import collect
    from zsgate.report.history.page import render
    from zsgate.run.findings.shards.shard import read_sound

    found = collect(given.places, read_sound)
    put(render(found), given.out)
    print(given.out)
    for path, why in found.unread:
        print(f"not read: {path}: {why}")
    return 1 if found.unread else 0
