"""Candidates that do what a program can do to a run: it is their failure, by name, and nothing of theirs stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.faults.gate import FOUR, Ask
from benchmarks.faults.promises import broken
from benchmarks.faults.scenario import Bench, Scenario, Try

LIMIT = 8.0  # seconds of a candidate that hangs
ALONE, WORKERS = (), ("-n", "2")


@dataclass(frozen=True)
class Fault:
    """What a candidate does, and what is right then.

    Attributes
    ----------
    name
        In words.
    ask
        How the run is started.
    codes
        The exit codes that are right.
    says
        Pattern of what must be said.
    """

    name: str
    ask: Ask
    codes: tuple[int, ...] = (1,)
    says: str = ""


def _harmless(name: str, model: str) -> Fault:
    return Fault(name, Ask(model=model), (0,))


def _hanging(name: str, model: str, *args: str) -> Fault:
    said = rf"no progress within {LIMIT:.0f} s \(timeout = {LIMIT:g}\)"
    return Fault(name, Ask(model=model, timeout=LIMIT, args=args), says=said)


ENDED = "its process was ended by {}|its process ended without an answer"
FAULTS = (
    _hanging("hangs", "Hangs"),
    _hanging("hangs, -n 2", "Hangs", *WORKERS),
    _hanging("hangs and refuses signals", "HangsDeaf"),
    _hanging("leaves children and hangs", "LeavesChildrenAndHangs"),
    _hanging("comes back after the limit", "Late"),
    Fault("crashes", Ask(model="Crashes"), says="SIGSEGV"),
    Fault("crashes, -n 2", Ask(model="Crashes", args=WORKERS), says="SIGSEGV"),
    _harmless("crashes once", "CrashesOnce"),
    Fault("ends with exit status 0", Ask(model="Exits"), says="ended without an answer"),
    Fault("is killed", Ask(model="Killed"), says="SIGKILL"),
    Fault("takes more memory than it may", Ask(model="Allocates", memory=1.5), says=r"\(memory\)"),
    Fault("has no address space left", Ask(model="Allocates", before="ulimit -v 3000000"), says="MemoryError"),
    Fault("calls itself for ever", Ask(model="Recurses"), says="RecursionError"),
    _harmless("raises in __del__", "RaisesWhenDeleted"),
    _harmless("prints 40 MB", "Prints"),
    _harmless("leaves children", "LeavesChildren"),
    _harmless("closes its streams", "ClosesItsStreams"),
    # its rows may have been written by then, and a process that is started after it says so
    Fault("closes every file", Ask(model="ClosesEverything", timeout=LIMIT), (0, 1), "ended|no progress"),
    _harmless("changes folder, environment and umask", "MovesAway"),
    _harmless("takes signals", "TakesSignals"),
    Fault("hangs as it is imported", Ask(model="hangs_in_import:Model", timeout=LIMIT), (4,), "no progress"),
    Fault("crashes as it is imported", Ask(model="crashes_in_import:Model"), (4,), "SIGSEGV"),
    Fault("ends as it is imported", Ask(model="exits_in_import:Model"), (4,), "while it was loaded"),
    Fault(
        "in pytest's process: hangs",
        Ask(model="Hangs", args=("--isolation=none",), environment={"ZSGATE_TIMEOUT": "8"}),
        says="within 8 s",
    ),
    Fault(
        "in pytest's process: ends a worker",
        Ask(model="Exits", args=("--isolation=none", *WORKERS), select=FOUR),
        (3,),
        "crashed",
    ),
    Fault(
        "in pytest's process: ends a worker once",
        Ask(model="CrashesOnce", args=("--isolation=none", *WORKERS), select=FOUR),
        (3,),
        "crashed",
    ),
    Fault("in pytest's process: moves away", Ask(model="MovesAway", args=("--isolation=none",)), (0, 3)),
)
IMPORTS = {
    "hangs_in_import": "import time\ntime.sleep(600)\n",
    "crashes_in_import": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "exits_in_import": "import os\nos._exit(0)\n",
}


def tries(fault: Fault) -> Callable[[Bench], Iterator[Try]]:
    """Return the one try of a fault."""

    def one(bench: Bench) -> Iterator[Try]:
        project = bench.project()
        for name, source in IMPORTS.items():
            (project.folder / f"{name}.py").write_text(source)
        yield Try("", broken(project.gate(fault.ask), *fault.codes, says=fault.says))

    return one


SCENARIOS = tuple(Scenario(f"candidate: {fault.name}", tries(fault)) for fault in FAULTS)
