"""Machines: what a run finds around it, a thing missing, forbidden or limited at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.gate import FOUR, ROOT, Ask
from benchmarks.faults.promises import at_any_time, broken
from benchmarks.faults.scenario import Bench, Scenario, Try, lacks, lacks_mounts

ANY = (0, 3, 4)  # all that a machine may be to blame for
PLAIN = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")  # an account that modes bind
# an account that nobody knows, which may still read an interpreter that lies in another's home
NOBODY = (
    "setpriv",
    "--reuid=4242",
    "--regid=4242",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)
OWNED = "chown -R 4242:4242 ."


@dataclass(frozen=True)
class Fault:
    """What is around a run, and what is right then.

    Attributes
    ----------
    name
        In words.
    ask
        How the run is started.
    codes
        The exit codes that are right.
    says
        Pattern of what must be said where it does not pass.
    silent
        Whether nothing can be written.
    too_early
        Whether pytest itself gives up, before it loads any plugin: with 1 and a traceback, and nothing is claimed.
    """

    name: str
    ask: Ask
    codes: tuple[int, ...] = (0,)
    says: str = ""
    silent: bool = False
    too_early: bool = False

    def missing(self) -> str:
        """Return what this machine lacks for it, in words."""
        wanted = lacks_mounts() if self.ask.mounts else ""
        return wanted or (lacks(self.ask.through[0]) if self.ask.through else "")


def read_only(*places: str | Path) -> str:
    """Return bash that makes folders read-only, for this run alone."""
    return "\n".join(f"mount --bind '{place}' '{place}' && mount -o remount,bind,ro '{place}'" for place in places)


WORKERS = ("-n", "2")
NO_TMP = """here=$PWD
for place in /tmp /var/tmp /usr/tmp; do
  [ -d $place ] && mount --rbind $place $place && mount -o remount,bind,ro $place
done
mount --bind "$here/.." "$here/.." && mount -o remount,bind,rw "$here/.." && cd "$here"
"""
FAULTS = (
    Fault(
        "no /dev/shm", Ask(before="mount -t tmpfs -o ro,size=4k none /dev/shm", mounts=True, args=WORKERS, select=FOUR)
    ),
    Fault("no HOME", Ask(environment={"HOME": None})),
    Fault("no HOME, no such account", Ask(environment={"HOME": None}, before=OWNED, through=NOBODY)),
    Fault(
        "no HOME, no such account, no --cache",
        Ask(environment={"HOME": None, "ZSGATE_CACHE": None}, before=OWNED, through=NOBODY),
        (4,),
        "HOME is not set.*--cache",
    ),
    Fault(
        "HOME cannot be written to",
        Ask(environment={"HOME": "/proc", "ZSGATE_CACHE": None}),
        (4,),
        "cannot write there.*--cache",
    ),
    Fault(
        "HOME is no folder",
        Ask(environment={"HOME": "/dev/null", "ZSGATE_CACHE": None}),
        (4,),
        "cannot write there.*--cache",
    ),
    Fault("read-only packages", Ask(before=read_only(ROOT), mounts=True, environment={"HOME": "/nonexistent"})),
    Fault(
        "read-only packages, -n 2",
        Ask(before=read_only(ROOT), mounts=True, environment={"HOME": None}, args=WORKERS, limit=180),
    ),
    *(
        Fault(f"at most {n} open files", Ask(before=f"ulimit -n {n}"), ANY, "(?i)too many open files")
        for n in (64, 24, 12)
    ),
    Fault(
        "at most 64 open files, -n 2",
        Ask(before="ulimit -n 64", args=WORKERS, select=FOUR),
        ANY,
        "(?i)too many open files",
    ),
    *(
        Fault(
            f"at most {n} processes",
            Ask(before=f"{OWNED}\nulimit -u {n}", through=NOBODY, args=WORKERS, select=FOUR),
            ANY,
            "(?i)process|thread|resource",
        )
        for n in (12, 4)
    ),
    *(
        Fault(f"at most {n} MB of addresses", Ask(before=f"ulimit -v {n}000"), ANY, "(?i)memory|failed to map")
        for n in (2000, 300)
    ),
    Fault("a stack of 256 KiB", Ask(before="ulimit -s 256")),
    Fault("no core files", Ask(before="ulimit -c 0")),
    Fault("TMPDIR is nowhere", Ask(environment={"TMPDIR": "/nowhere"})),
    Fault("TMPDIR is read-only", Ask(environment={"TMPDIR": "/proc"})),
    Fault("no temporary folder but the working one", Ask(before=NO_TMP, mounts=True)),
    Fault(
        "no temporary folder",
        Ask(before=f"{NO_TMP}mkdir report\n{read_only('.')}\ncd $PWD", mounts=True),
        (4,),
        "TMPDIR names",
    ),
    *(
        Fault(f"{name} closed", Ask(before=f"exec {number}>&-"), silent=number == "2")
        for name, number in (("standard input", "0"), ("standard output", "1"), ("standard error", "2"))
    ),
    Fault("all three closed", Ask(before="exec 0<&- 1>&- 2>&-"), silent=True),
    Fault("all three closed, -n 2", Ask(before="exec 0<&- 1>&- 2>&-", args=WORKERS), silent=True),
    Fault("standard output full", Ask(before="exec >/dev/full"), ANY, silent=True),
    Fault("standard error full", Ask(before="exec 2>/dev/full"), ANY, silent=True),
    Fault("nobody reads standard output, and goes", Ask(before="exec > >(sleep 2)"), (0, 2, 3), silent=True),
    Fault("nobody reads standard error, and goes", Ask(before="exec 2> >(sleep 2)"), (0, 2, 3), silent=True),
    Fault("LC_ALL=C, no UTF-8", Ask(environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})),
    Fault("no language", Ask(environment={"LC_ALL": None, "LANG": None, "LC_CTYPE": None})),
    Fault("an ASCII terminal", Ask(environment={"PYTHONIOENCODING": "ascii"})),
    Fault("umask 000", Ask(before="umask 000")),
    Fault("umask 777", Ask(before="umask 777", through=PLAIN), ANY, "(?i)permission|cannot"),
    Fault(
        "a working folder that is deleted",
        Ask(before="mkdir gone; cd gone; rmdir ../gone"),
        too_early=True,
    ),
    Fault(
        "a read-only working folder",
        Ask(before=f"{read_only('.')}\ncd $PWD", mounts=True),
        (4,),
        "(?i)cannot write.*--report|--report.*cannot write",
    ),
    Fault("modes that forbid to write", Ask(before="chmod 555 .", through=PLAIN), (4,), "(?i)--report.*cannot write"),
    Fault("no PATH", Ask(before="PATH=/nowhere")),
)


def tries(fault: Fault) -> Callable[[Bench], Iterator[Try]]:
    """Return the one try of a fault."""

    def one(bench: Bench) -> Iterator[Try]:
        ended = bench.project().gate(fault.ask)
        if fault.too_early:
            yield Try("", tuple(at_any_time(ended)))
        else:
            yield Try("", broken(ended, *fault.codes, says=fault.says, silent=fault.silent))

    return one


SCENARIOS = tuple(Scenario(f"machine: {fault.name}", tries(fault), fault.missing) for fault in FAULTS)
