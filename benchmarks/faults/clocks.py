"""Clocks: the time of day jumps while a run goes on, for all of its processes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.faults.gate import FOUR, Ask
from benchmarks.faults.promises import as_calm, at_any_time, broken
from benchmarks.faults.scenario import Bench, Scenario, Try, lacks

DAY = 86_400
JUMPS = {"an hour back": -3600, "a year back": -365 * DAY, "an hour ahead": 3600, "ten years ahead": 3650 * DAY}
# the time of day, and no other clock, is moved by FAULT_JUMP seconds once a process has run FAULT_WHEN of them
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long long moved(void) {
    static int (*real)(clockid_t, struct timespec *);
    static double began = -1;
    static unsigned calls;
    struct timespec now;
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    real(CLOCK_MONOTONIC, &now);
    double seconds = now.tv_sec + now.tv_nsec / 1e9;
    if (began < 0) began = seconds;
    const char *jump = getenv("FAULT_JUMP"), *when = getenv("FAULT_WHEN");
    if (!jump || !when || seconds - began < atof(when)) return 0;
    if (getenv("FAULT_SWAYS") && calls++ % 2) return 0;
    return atoll(jump);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, time);
    if (!code && clock == CLOCK_REALTIME) time->tv_sec += moved();
    return code;
}

int gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


def _shim(folder: Path) -> Path:
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(SHIM)
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def tries(seconds: int, *, sways: bool = False) -> Callable[[Bench], Iterator[Try]]:
    """Return the tries in which the clock jumps at several moments: runs, limits and what is kept are as ever."""

    def each(bench: Bench) -> Iterator[Try]:
        project = bench.project()
        clock = {"LD_PRELOAD": str(_shim(project.logs)), "FAULT_JUMP": str(seconds)}
        clock |= {"FAULT_SWAYS": "1"} if sways else {}
        for when in (0, 1, 2.5):
            shutil.rmtree(project.store, ignore_errors=True)
            ended = project.gate(Ask(select=FOUR, environment={**clock, "FAULT_WHEN": str(when)}))
            yield Try(f"after {when} s", (*at_any_time(ended), *as_calm(ended, bench.calm)))
        ended = project.gate(Ask(select=FOUR, environment={**clock, "FAULT_WHEN": "1"}, args=("-n", "2")))
        yield Try("after 1 s, -n 2, all kept", (*at_any_time(ended), *as_calm(ended, bench.calm)))
        hung = project.gate(Ask(model="Hangs", timeout=8, environment={**clock, "FAULT_WHEN": "1"}, limit=60))
        yield Try("a candidate hangs", broken(hung, 1, says="no progress within 8 s"))

    return each


SCENARIOS = (
    *(Scenario(f"clock: {name}", tries(seconds), lambda: lacks("cc")) for name, seconds in JUMPS.items()),
    Scenario("clock: to and fro, a day", tries(DAY, sways=True), lambda: lacks("cc")),
)
