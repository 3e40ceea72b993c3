"""Compiled loops run wherever nothing can be kept, and are kept only where nobody else can put code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOOP = """
from zsgate.system.compiled import compiled

@compiled
def total(n):
    found = 0
    for i in range(n):
        found += i
    return found
"""
# as an account that cannot write beside the source, whoever runs the tests
PROGRAM = """
import os, resource, signal, sys
import numba, zsgate.system.compiled

@numba.njit
def warm(n):
    found = 0
    for i in range(n):
        found += i
    return found

warm(10)  # Numba imports much only now, which the other account may have no leave to read
if os.getuid() == 0:
    os.setgid(54321), os.setuid(54321)
import loops
if "full" in sys.argv:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
found = loops.total(10)
print(found, sum(loops.total.stats.cache_hits.values()))
"""
OTHER = 54321


@pytest.fixture
def run(tmp_path):
    """Return a function that calls a compiled loop, and says what it gave and whether it was compiled before."""
    source, here, cache = tmp_path / "source", tmp_path / "here", tmp_path / "cache"
    for folder in (source, here, cache):
        folder.mkdir()
    (source / "loops.py").write_text(LOOP)
    (source / "program.py").write_text(PROGRAM)
    source.chmod(0o555)
    for place in (tmp_path, *(each for each in tmp_path.parents if each.name.startswith(("pytest-", "popen-")))):
        place.chmod(0o755)
    if os.getuid() == 0:
        os.chown(here, OTHER, OTHER)
        os.chown(cache, OTHER, OTHER)

    def run(*arguments, **environment):
        command = [sys.executable, source / "program.py", *arguments]
        bare = {"PATH": os.environ["PATH"], **environment}
        done = subprocess.run(command, env=bare, cwd=here, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()

    yield run
    source.chmod(0o755)


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.suffix for path in tmp_path.rglob("*.nb?"))


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="every other account has a home folder")
def test_where_nothing_can_be_kept_it_is_compiled_anew(run, tmp_path):
    """Packages that are read-only, no HOME, no cache: the loop runs, and no folder called ~ appears."""
    assert run() == "45 0"
    assert kept(tmp_path) == []
    assert list((tmp_path / "here").iterdir()) == []


def test_the_cache_folder_is_enough(run, tmp_path):
    """ZSGATE_CACHE is where compiled loops go then; a damaged file there, or a full disk, costs time only."""
    given = {"ZSGATE_CACHE": str(tmp_path / "cache"), "HOME": "/nonexistent"}
    assert run("full", **given) == "45 0"
    assert kept(tmp_path) == []
    assert [run(**given), run(**given)] == ["45 0", "45 1"]
    assert kept(tmp_path / "cache" / "kernels") == [".nbc", ".nbi"]
    for path in tmp_path.rglob("*.nbi"):
        path.write_bytes(path.read_bytes()[:-20])
    assert run(**given) == "45 0"


def test_no_code_is_read_from_a_folder_of_everybody(run, tmp_path):
    """What is kept is run, so it is neither read nor written where others can write."""
    (tmp_path / "cache").chmod(0o777)
    assert run(ZSGATE_CACHE=str(tmp_path / "cache"), HOME="/nonexistent") == "45 0"
    assert kept(tmp_path) == []
