"""Installed and not asked for, zsgate costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRINT_MODULES = "import sys\n\ndef test_own():\n    print('MODULES', *sorted(sys.modules))\n"


def modules(folder, *args: str) -> set[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if "MODULES" in line)
    return set(line.partition("MODULES ")[2].split())


def test_no_module_is_imported_but_our_own(pytester: pytest.Pytester):
    """A run without a model imports zsgate's plugin and what the standard library brings, and nothing else."""
    pytester.makepyfile(test_own=PRINT_MODULES)
    added = modules(pytester.path) - modules(pytester.path, "-p", "no:zsgate")

    foreign = {name for name in added if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"zsgate", "zsgate.plugin"}


@pytest.mark.slow
def test_start_up_is_no_slower(pytester: pytest.Pytester):
    """The median of 15 interleaved pairs differs by less than 20 ms."""
    import time

    pytester.makepyfile(test_own="def test_own(): pass")
    differences = []
    for _ in range(15):
        seconds = []
        for args in ((), ("-p", "no:zsgate")):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", *args], cwd=pytester.path, check=True, capture_output=True
            )
            seconds.append(time.perf_counter() - started)
        differences.append(seconds[0] - seconds[1])

    assert sorted(differences)[7] < 0.020
