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
    log = project.logs / "put"
    going = []
    for number in range(N_RUNS):
        args = [f"--report=report-{number}", "-p", "no:cacheprovider", "-p", "moments"]
        args += ["-n", "2"] if workers and number % 2 else []
        going.append(project.start(Ask(select=FOUR, args=tuple(args), environment={"FAULT_LOG": str(log)}, limit=300)))
    for number, each in enumerate(going):
        ended = each.end()
        yield Try(f"run {number}", (*at_any_time(ended), *as_calm(ended, calm)))
    put = Counter(path for path in log.read_text(encoding="utf-8").split() if "/runs/" not in path)
    kept = {path: times for path, times in put.items() if path.startswith(f"{project.store}/") and "." in path}
    twice = [f"{path} was made {times} times" for path, times in kept.items() if times > 1 and "rates" not in path]
    embedded = (project.folder / "calls").read_text(encoding="utf-8").split().count("240")
    twice += [f"the candidate embedded {embedded} times"] if embedded != 1 else []
    yield Try(f"each of {len(kept)} things made once", tuple(twice if kept else ["nothing was kept"]))


SCENARIOS = (
    Scenario("crowd: ten at once", lambda bench: at_once(bench, workers=False)),
    Scenario("crowd: ten at once, half with -n 2", lambda bench: at_once(bench, workers=True)),
)
