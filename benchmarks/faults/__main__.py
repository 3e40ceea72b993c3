"""Try the gate under faults: ``python -m benchmarks.faults [--only NAME ...] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.faults import candidates, clocks, crowd, kills, machines, network, room
from benchmarks.faults.scenario import Bench, Scenario, Try

KINDS = (kills, room, network, candidates, clocks, machines, crowd)
SCENARIOS = tuple(scenario for kind in KINDS for scenario in kind.SCENARIOS)


@dataclass(frozen=True)
class Row:
    """What became of a scenario.

    Attributes
    ----------
    name
        The scenario.
    tries
        What each try broke.
    seconds
        How long they took.
    missing
        What the machine lacks for it; it was not tried then.
    """

    name: str
    tries: tuple[Try, ...]
    seconds: float
    missing: str = ""

    @property
    def lost(self) -> list[Try]:
        """The tries in which something did not hold."""
        return [each for each in self.tries if each.broken]

    def words(self) -> str:
        """Return the row of the table."""
        if self.missing:
            return f"| {self.name} | not tried: {self.missing} | | | |"
        survived = len(self.tries) - len(self.lost)
        return f"| {self.name} | {len(self.tries)} | {survived} | {len(self.lost)} | {self.seconds:.0f} |"


def tried(bench: Bench, scenario: Scenario) -> Row:
    """Return what became of a scenario."""
    if missing := scenario.missing():
        return Row(scenario.name, (), 0.0, missing)
    began, tries = time.monotonic(), list[Try]()
    try:
        tries.extend(scenario.tries(bench))
    except Exception as error:  # what cannot be tried is not known to survive
        tries.append(Try("could not be tried", (f"{type(error).__name__}: {error}",)))
    return Row(scenario.name, tuple(tries), time.monotonic() - began)


def chosen(only: Sequence[str]) -> list[Scenario]:
    """Return the scenarios whose names begin with one of those given, or all."""
    return [each for each in SCENARIOS if not only or any(each.name.startswith(name) for name in only)]


def main(given: Iterable[str] | None = None) -> int:
    """Print the table; return 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="scenarios whose names begin so")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all of it is written")
    asked = parser.parse_args(None if given is None else list(given))
    if sys.platform != "linux":
        parser.error("processes are found as Linux shows them")
    bench, rows = Bench(), []
    print("| scenario | tried | survived | lost | seconds |\n|---|--:|--:|--:|--:|", flush=True)
    try:
        for scenario in chosen(asked.only):
            rows.append(tried(bench, scenario))
            print(rows[-1].words(), flush=True)
            for each in rows[-1].lost:
                print(f"  {each.what}: {'; '.join(each.broken)}", file=sys.stderr, flush=True)
    finally:
        bench.clear()
        if asked.json:
            asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    return int(any(row.lost for row in rows))


if __name__ == "__main__":
    sys.exit(main())
