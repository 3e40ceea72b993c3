"""Installed and not asked for, zsgate costs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time

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
    assert foreign == {"zsgate", "zsgate.plugin", "zsgate.plugin.options"}


@pytest.mark.slow
def test_start_up_is_no_slower(pytester: pytest.Pytester):
    """Loading the plugin adds less than 20 ms: the fastest of 30 interleaved runs of each side.

    On a shared machine two runs of the same command differ by 50 ms and more, either way, so that a median of
    differences says nothing. Noise only ever adds to a run, so the fastest ones are compared; and other plugins
    are left out, which cost both sides alike.
    """
    pytester.makepyfile(test_own="def test_own(): pass")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    seconds: dict[tuple[str, ...], list[float]] = {("-p", "zsgate.plugin.options"): [], (): []}
    for _ in range(30):
        for args, taken in seconds.items():
            command = [sys.executable, "-m", "pytest", "-q", *args]
            started = time.perf_counter()
            subprocess.run(command, cwd=pytester.path, env=environment, check=True, capture_output=True)
            taken.append(time.perf_counter() - started)

    with_zsgate, without = (min(taken) for taken in seconds.values())
    assert with_zsgate - without < 0.020
