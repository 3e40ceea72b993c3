"""Kills: signals at chosen moments and at any, to every process that a run has; and run again."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from process_tree import wait_until

from benchmarks.faults.gate import FOUR, Ask, Going, Project
from benchmarks.faults.promises import as_calm, at_any_time, claims_nothing, entries, parts
from benchmarks.faults.scenario import Bench, Scenario, Try

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
N_RANDOM, SEED = 12, 20
PATIENCE = 30.0  # seconds that a run may take to end once it was told to
# files whose putting is a moment: pattern, and whether the signal comes once it is there
PUT = {
    "an embedding is kept": ("*/embedding/*.npz", False),
    "an embedding is there": ("*/embedding/*.npz", True),
    "a score is kept": ("*/score/*.json", False),
    "verdict.json is written": ("*/zsgate-report/verdict.json", False),
    "the page is written": ("*/zsgate-report/index.html", False),
}


def _after(bench: Bench, going: Going, number: signal.Signals, what: str, *, late: bool = False) -> Try:
    """Return what a run that was told to end broke; ``late`` if it may have ended by itself before."""
    going.until = time.monotonic() + PATIENCE
    ended = going.end()
    wrong = list(at_any_time(ended))
    if ended.code != 0:
        wrong += claims_nothing(ended, bench.calm)
        right = (-number,) if number is signal.SIGKILL else (2, -number, 128 + number)
        if ended.code not in right:
            wrong.append(f"exit {ended.code} after {number.name}: {(ended.out + ended.err)[-200:]}")
    elif not late:
        wrong.append("the moment never came")
    return Try(f"{number.name} {what}", tuple(wrong))


def _again(bench: Bench, project: Project, n_kills: int) -> Try:
    """Return what the run after kills broke."""
    before = entries(project)
    ended = project.gate(select=FOUR)
    wrong = [*at_any_time(ended), *as_calm(ended, bench.calm)]
    after = entries(project)
    if again := [path for path, mark in before.items() if after.get(path) != mark]:
        wrong.append(f"made again: {', '.join(again)}")
    if len(left := parts(project)) > n_kills:
        wrong.append(f"{len(left)} files were begun and left by {n_kills} kills: {left}")
    return Try("run again", tuple(wrong))


def put(pattern: str, *, later: bool) -> Callable[[Bench], Iterator[Try]]:
    """Return the tries in which the process that puts a file is sent each signal."""

    def tries(bench: Bench) -> Iterator[Try]:
        project = bench.project()
        for number in SIGNALS:
            told = {"FAULT_AT": pattern, "FAULT_SIGNAL": str(int(number))} | ({"FAULT_AFTER": "1"} if later else {})
            if "report" in pattern:
                told["FAULT_SKIP"] = "1"  # the page that says that the run was started
            going = project.start(Ask(select=FOUR, args=("-p", "moments"), environment=told))
            yield _after(bench, going, number, "")
        yield _again(bench, project, len(SIGNALS))

    return tries


def marked(mark: str, *, whom: str = "", args: tuple[str, ...] = ()) -> Callable[[Bench], Iterator[Try]]:
    """Return the tries in which a process is sent each signal once the candidate has left a mark."""

    def tries(bench: Bench) -> Iterator[Try]:
        project = bench.project()
        for number in SIGNALS:
            project = bench.project() if whom else project  # a run that lost a process may have finished
            (project.folder / mark).unlink(missing_ok=True)
            going = project.start(Ask(select=FOUR, args=args, environment={"FAULT_SLOW": mark}))
            if not wait_until((project.folder / mark).exists, 90):
                yield Try(number.name, ("the moment never came",))
            time.sleep(0.3)
            found = [pid for pid, words in going.processes().items() if whom in words]
            with suppress(ProcessLookupError):
                os.kill(found[0] if whom else going.process.pid, number)
            yield _after_one(bench, going, number, whom)
        yield _again(bench, project, len(SIGNALS))

    return tries


def _after_one(bench: Bench, going: Going, number: signal.Signals, whom: str) -> Try:
    if not whom:
        return _after(bench, going, number, "to pytest")
    going.until = time.monotonic() + 30
    ended = going.end()
    wrong = list(at_any_time(ended))
    if ended.code not in (0, 2, 3):
        wrong.append(f"exit {ended.code} after {number.name}: {ended.out[-200:]}")
    return Try(f"{number.name} to one of its processes", tuple(wrong))


def at_any(bench: Bench, *args: str) -> Iterator[Try]:
    """Try every signal at moments of chance, in a project that gets farther each time."""
    project, generator = bench.project(), random.Random(SEED)
    most = bench.calm.seconds
    for turn in range(N_RANDOM):
        number, seconds = SIGNALS[turn % len(SIGNALS)], generator.uniform(0.1, most)
        going = project.start(Ask(select=FOUR, args=args))
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(going.process.pid, number)
        yield _after(bench, going, number, f"after {seconds:.2f} s", late=True)
    yield _again(bench, project, N_RANDOM)


SCENARIOS = (
    *(Scenario(f"kill: as {what}", put(pattern, later=later)) for what, (pattern, later) in PUT.items()),
    Scenario("kill: as the candidate loads", marked("loading")),
    Scenario("kill: as it embeds", marked("embedding")),
    Scenario("kill: as it embeds, -n 2", marked("embedding", args=("-n", "2"))),
    Scenario("kill: the candidate's process", marked("embedding", whom="zsgate.models.worker.serving")),
    Scenario("kill: a worker of -n 2", marked("embedding", whom="exec(eval", args=("-n", "2"))),
    Scenario("kill: at any moment", at_any),
    Scenario("kill: at any moment, -n 2", lambda bench: at_any(bench, "-n", "2")),
)
