"""Probe: whether the HDF5 library can read a file at all, tried in a process of its own.

The library is C code that trusts what a file says of itself: on a damaged file it may never return, or end the whole
process. So every file is read in a child process first (:mod:`zsgate.data.file.visit`), once per file and process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from zsgate.data.file import visit
from zsgate.errors import UsageProblem

CPU_SECONDS, CPU_BYTES = 5, 1 << 27  # of processor time, and a second more for so many bytes; a sound file takes 0.3
CPU_TIME_IS_UP = 24  # SIGXCPU, which Windows does not name
WALL_SECONDS, WALL_BYTES = 25, 1 << 25  # of the clock, where the disk or the machine is slow
FILTERS = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32026: "blosc2"}


def refuse_unreadable(path: Path) -> None:
    """Raise UsageProblem if reading an HDF5 file crashes, never ends, or needs a filter that is not installed.

    Parameters
    ----------
    path
        The file. A file that is merely no HDF5, or damaged in a way that the library notices, passes: whoever reads
        it is told.
    """
    status = path.stat()
    fault, lacking = _visited(str(path.resolve()), status.st_size, status.st_mtime_ns)
    if fault:
        msg = f"{path}: damaged: {fault}; make it anew from its source"
        raise UsageProblem(msg)
    if lacking:
        _register_filters(path, lacking)


@lru_cache(maxsize=1024)
def _visited(path: str, n_bytes: int, changed: int) -> tuple[str, tuple[int, ...]]:
    """Return (what happens when the file is read, or an empty string; numbers of the filters that are lacking).

    ``changed`` tells a file from itself before a change.
    """
    packages = [find_spec(name) for name in ("h5py", "numpy", "hdf5plugin")]
    folders = {str(Path(spec.origin).parents[1]) for spec in packages if spec is not None and spec.origin}
    seconds = CPU_SECONDS + n_bytes // CPU_BYTES
    command = [sys.executable, "-I", "-S", visit.__file__, json.dumps(sorted(folders)), path, str(seconds)]
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # it computes nothing
    try:
        done = subprocess.run(
            command, capture_output=True, env=one_thread, timeout=WALL_SECONDS + n_bytes / WALL_BYTES, check=False
        )
    except subprocess.TimeoutExpired:
        return "the HDF5 library does not come to an end with it", ()
    except OSError:  # no process can be started here: the file is read without this precaution
        return "", ()
    if done.returncode == -CPU_TIME_IS_UP:
        return "the HDF5 library does not come to an end with it", ()
    if done.returncode < 0:
        return f"the HDF5 library crashes on it (signal {-done.returncode})", ()
    return "", tuple(json.loads(done.stdout)) if done.returncode == 0 else ()


def _register_filters(path: Path, codes: tuple[int, ...]) -> None:
    """Import the package of filters, which registers them, or raise UsageProblem naming it."""
    import h5py

    with suppress(ImportError):
        import hdf5plugin  # noqa: F401
    absent = [code for code in codes if not h5py.h5z.filter_avail(code)]
    if absent:
        named = ", ".join(FILTERS.get(code, f"filter {code}") for code in absent)
        msg = f"{path}: packed with {named}, which HDF5 reads with a package of its own: pip install hdf5plugin"
        raise UsageProblem(msg)
