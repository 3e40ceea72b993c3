"""Arrays that lie in memory while they are small, and in a mapped file while they are large.

Pages of a mapped file belong to the operating system, which writes them to disk and reads them again as needed, so half
a million rows cost the process no memory of its own.
"""

from __future__ import annotations

import hashlib
import math
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.errors import MachineFailed

IN_MEMORY = 1 << 28  # bytes of one array; a larger one lies in a file
STRETCH = 1 << 25  # bytes of rows that are handled at a time

Array = npt.NDArray[Any]
_DIGESTS: dict[int, str] = {}  # of mapped arrays that are alive, by identity


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32, folder: Path | None = None) -> Array:
    """Return an array to be filled, in memory, or in a temporary file that is deleted with the array.

    The file lies in ``folder``, else where ``TMPDIR`` says, else in ``/var/tmp``, because ``/tmp`` may be in memory.
    Its room is taken at once: if the disk were full later, writing to the array would end the process.

    Raises
    ------
    MachineFailed
        If the disk has no room for it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not is_large(size):
        return np.empty(shape, dtype)
    place = folder or _folder()
    try:
        with TemporaryFile(dir=place) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, dtype, "w+", shape=shape))
    except OSError as error:
        remedy = "" if folder else "; TMPDIR names another folder"
        msg = f"no room for {size / 1e9:,.1f} GB in {place or gettempdir()} ({error.strerror or error}){remedy}"
        raise MachineFailed(msg) from error


def is_large(n_bytes: int) -> bool:
    """Return whether an array of so many bytes lies in a file."""
    return n_bytes > IN_MEMORY


def take(rows: Array, positions: npt.NDArray[np.intp]) -> Array:
    """Return ``rows[positions]``, positions being integers."""
    if not is_large(len(positions) * rows[:1].nbytes):
        return np.asarray(rows[positions])
    taken = empty((len(positions), *rows.shape[1:]), rows.dtype)
    for part in stretches(taken):
        taken[part] = rows[positions[part]]
    return taken


def moved(rows: Array, dtype: npt.DTypeLike | None = None) -> Array:
    """Return a copy of the rows in C order, of ``dtype`` or their own, in a file if it is large; else the rows."""
    wanted = np.dtype(dtype or rows.dtype)
    if not is_large(rows.size * wanted.itemsize):
        return np.ascontiguousarray(rows, dtype=wanted)
    target = empty(rows.shape, wanted)
    for part in stretches(target):
        target[part] = rows[part]
    return target


def stretches(rows: Array) -> Iterator[slice]:
    """Yield consecutive slices of the rows, as many rows at a time as take 32 MiB."""
    height = max(1, STRETCH // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), height):
        yield slice(start, min(start + height, len(rows)))


def load_mapped(path: Path) -> Array:
    """Return the array of a ``.npy`` file, mapped and read-only."""
    return np.asarray(np.lib.format.open_memmap(path, mode="r"))  # np.load takes archives, and leaves them open


def save(path: Path, array: Array) -> None:
    """Write an array to a ``.npy`` file, piece by piece.

    NumPy's own writing says how many numbers fitted where a disk is full, and not that it is.

    Raises
    ------
    OSError
        What the system says.
    """
    told = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    rows = array if array.ndim else array.reshape(1)
    with path.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, told)
        for part in stretches(rows):
            file.write(_bytes_of(rows[part]))


def describe(array: Array) -> dict[str, object]:
    """Return ``dtype``, ``shape`` and ``sha256`` of an array, as :func:`digest` has it."""
    return {"dtype": str(array.dtype), "shape": list(array.shape), "sha256": digest(array)}


def digest(array: Array) -> str:
    """Return the SHA-256 of an array's bytes in C order, read piece by piece.

    That of an array of :func:`load_mapped` is computed once for as long as the array is there: nobody writes to it.
    """
    if (known := _DIGESTS.get(id(array))) is not None:
        return known
    sha, rows = hashlib.sha256(), array if array.ndim else array.reshape(1)
    for part in stretches(rows):
        sha.update(_bytes_of(rows[part]))
    found = sha.hexdigest()
    if isinstance(array.base, np.memmap) and array.base.mode == "r":
        _DIGESTS[id(array)] = found
        weakref.finalize(array, _DIGESTS.pop, id(array), None)
    return found


def _bytes_of(piece: Array) -> memoryview | bytes:
    """Return the bytes of an array in C order, without a copy where these are its own."""
    piece = np.ascontiguousarray(piece)
    has_buffer = piece.size > 0 and piece.dtype.isbuiltin == 1 and piece.dtype.kind in "biufc"
    return piece.view(np.uint8).data if has_buffer else piece.tobytes()


def _folder() -> str | None:
    """Return where large temporary files belong; None is Python's choice."""
    return None if os.environ.get("TMPDIR") or not os.access("/var/tmp", os.W_OK) else "/var/tmp"
