"""Crowd: many runs at once on one store, of which none makes what another has made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from benchmarks.faults.gate import FOUR, Ask
from benchmarks.faults.promises import as_calm, at_any_time
from benchmarks.faults.scenario import Bench, Scenario, Try

N_RUNS = 10


def at_once(bench: Bench, *, workers: bool) -> Iterator[Try]:
    """Try ten runs that begin together, half of them with two workers if ``workers``."""
    project, calm = bench.project(), bench.calm
    asks = [
        Ask(
            select=FOUR,
            args=(
                f"--report=report-{number}",
                "-p",
                "no:cacheprovider",
                *(("-n", "2") if workers and number % 2 else ()),
            ),
            limit=300,
        )
        for number in range(N_RUNS)
    ]
    going = [project.start(ask) for ask in asks]
    made = Counter[str]()
    for number, each in enumerate(going):
        ended = each.end()
        yield Try(f"run {number}", (*at_any_time(ended), *as_calm(ended, calm)))
        timings = ended.record["timings"] if ended.record else []
        made.update(f"{timing['what']} {timing['dataset']}" for timing in timings if timing.get("cached") is False)
    embedded = (project.folder / "calls").read_text(encoding="utf-8").split().count("240")
    twice = [f"the candidate embedded {embedded} times"] if embedded != 1 else []
    yield Try("each thing made once", tuple(twice))


SCENARIOS = (
    Scenario("crowd: ten at once", lambda bench: at_once(bench, workers=False)),
    Scenario("crowd: ten at once, half with -n 2", lambda bench: at_once(bench, workers=True)),
)
