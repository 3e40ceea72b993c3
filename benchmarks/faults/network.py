"""Network: a dataset comes from a server that stalls, cuts off, lies, or is not there."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from webserver import Place

from benchmarks.faults.gate import Ask, Ended, Project
from benchmarks.faults.promises import broken
from benchmarks.faults.scenario import Bench, Scenario, Try

NOWHERE = "http://127.0.0.1:9"  # the port of "discard", where nobody listens
PROXIES = {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "no_proxy": ""}
REMEDY = "(?i)run again|--mirror|was deleted|: delete "


class Failing(Place):
    """A server that can also answer with an error, and fall silent in the middle.

    Attributes
    ----------
    status
        What is answered instead of the file; 0 answers the file.
    silent_after
        Bytes after which nothing comes for a while; None sends all.
    """

    status = 0
    silent_after: int | None = None

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Serve a request as told to."""
        if self.status:
            request.send_error(self.status)
            return
        super().answer(request)

    def send(self, out: BinaryIO, content: bytes) -> None:
        """Send the content as told to."""
        with suppress(OSError):  # the reader has given up
            if self.silent_after is None:
                super().send(out, content)
                return
            out.write(content[: self.silent_after])
            out.flush()
            time.sleep(4)


@dataclass(frozen=True)
class Fault:
    """What a server does first; then it is mended.

    Attributes
    ----------
    spoil
        Does it.
    environment, args
        Of the run.
    says
        Pattern of what must be said.
    codes
        The exit codes that are right.
    unchecked
        Whether it is tried without a published digest as well.
    """

    spoil: Callable[[Failing], None] = lambda place: None
    environment: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    says: str = REMEDY
    codes: tuple[int, ...] = (4,)
    unchecked: bool = False


def _set(**told: object) -> Callable[[Failing], None]:
    return lambda place: vars(place).update(told)


FAULTS = {
    "stalls in the middle": Fault(_set(silent_after=100_000)),
    "says nothing": Fault(_set(silent_after=0)),
    "comes a byte at a time": Fault(_set(drip=0.01)),
    "cuts in the middle": Fault(_set(bytes_before_hanging_up=100_000), unchecked=True),
    "cuts in the middle, in chunks": Fault(_set(bytes_before_hanging_up=100_000, chunks=True), unchecked=True),
    "sends garbage": Fault(_set(content=b"\x00\xff" * 50_000), unchecked=True),
    "sends a web page": Fault(_set(content=b"<!doctype html><html>Sign in</html>"), unchecked=True),
    "sends nothing": Fault(_set(content=b""), unchecked=True),
    "says a shorter length": Fault(_set(length="1000"), unchecked=True),
    "says a longer length": Fault(_set(length="99000000"), unchecked=True),
    "says a length that is none": Fault(_set(length="-1"), codes=(0, 4)),
    "answers 500": Fault(_set(status=500)),
    "answers 403": Fault(_set(status=403)),
    "leads in a circle": Fault(lambda place: vars(place).update(moved_to=f"{place.home}/other")),
    "leads to a file": Fault(_set(moved_to="file:///etc/passwd")),
    "is not to be asked (--offline)": Fault(args=("--offline",), says="--offline"),
    "is behind a proxy that is not there": Fault(environment=PROXIES),
    "is not there": Fault(environment={"FAULT_URL": f"{NOWHERE}/served.h5ad"}),
    "has a name that nobody knows": Fault(environment={"FAULT_URL": "http://nobody.invalid/served.h5ad"}),
}


def _run(project: Project, place: Failing, digest: str, fault: Fault, *, checked: bool) -> Ended:
    told = {"FAULT_URL": place.url} | ({"FAULT_SHA256": digest} if checked else {})
    args = ("-p", "listed", "--datasets=served", *fault.args)
    return project.gate(Ask(args=args, environment={**told, **fault.environment}))


def tries(fault: Fault) -> Callable[[Bench], Iterator[Try]]:
    """Return the tries: with and without a published digest, each followed by one with a server that is well."""

    def both(bench: Bench) -> Iterator[Try]:
        content = bench.cells.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        for checked in (True, False) if fault.unchecked else (True,):
            project, place = bench.project(), Failing(content)
            what = "digest published" if checked else "no digest"
            try:
                well = vars(place).copy()
                fault.spoil(place)
                ended = _run(project, place, digest, fault, checked=checked)
                yield Try(what, broken(ended, *fault.codes, says=fault.says))
                if ": delete " in ended.err:
                    shutil.rmtree(project.store / "datasets")
                vars(place).clear()
                vars(place).update(well)
                yield Try(f"{what}, then well", broken(_run(project, place, digest, Fault(), checked=checked), 0))
            finally:
                place.close()

    return both


SCENARIOS = tuple(Scenario(f"network: the server {name}", tries(fault)) for name, fault in FAULTS.items())
