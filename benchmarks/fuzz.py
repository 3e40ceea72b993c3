"""How often malformed input of a kind is read, refused or lost: ``python -m benchmarks.fuzz [--cases N] [--seed S]``.

The strategies are those of ``tests/fuzz``. Prints the table of ``RESULTS.md``, and each fault once to standard error;
leaves with 1 if there is one.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fuzz"))
from malformed.child import IN_MEMORY, Child, answer
from malformed.kind import Kind, Lost, shown
from malformed.kinds import KINDS

LOST = "lost"


class TimeIsUp(Exception):
    """Ends the cases of a kind."""


def tally(kind: Kind, rules: settings, start: int, until: float, folder: Path) -> Counter[str]:
    """Return how many cases came to what until a moment of the clock, and tell the first of each fault."""
    came: Counter[str] = Counter()
    told: set[str] = set()
    child = Child(folder)

    def count(case: Any) -> None:
        if time.monotonic() > until:
            raise TimeIsUp
        try:
            what, said = (child.check(kind, case), "") if kind.apart else answer(kind, case, str(folder))
        except Lost as fault:
            what, said = LOST, str(fault)
        came[LOST if said else what] += 1
        if said and said[:60] not in told:
            told.add(said[:60])
            sys.stderr.write(f"{kind.name}: {shown(case)}\n  {said[:3000]}\n")

    with suppress(TimeIsUp):
        seed(start)(rules(given(kind.cases())(count)))()
    child.close()
    return came


def main() -> int:
    """Print a row a kind, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500, help="a kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other cases (default: %(default)s)")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--minutes", type=float, default=math.inf, help="a kind at most (default: %(default)s)")
    given_ = parser.parse_args()
    rules = settings(max_examples=given_.cases, phases=(Phase.generate,), report_multiple_bugs=False)
    rules = settings(rules, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    print("| input | tried | read, numbers right | refused in a sentence | lost | minutes |")
    print("|---|--:|--:|--:|--:|--:|")
    lost = 0
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        for name in given_.kinds:
            began = time.monotonic()
            came = tally(KINDS[name], rules, given_.seed, began + 60 * given_.minutes, Path(folder))
            lost += came[LOST]
            figures = (came.total(), came["accepted"], came["refused"], came[LOST])
            minutes = (time.monotonic() - began) / 60
            print(f"| {name} | {' | '.join(f'{figure:,}' for figure in figures)} | {minutes:.1f} |", flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
