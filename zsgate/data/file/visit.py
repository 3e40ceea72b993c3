"""Visit: everything in an HDF5 file is looked at, in a process of its own that may crash or never end.

This file is run by its path, without zsgate: ``python -I -S visit.py PATHS FILE SECONDS``. It writes JSON: the filters
that the file's arrays are packed with and that are not installed. Whatever raises an error here raises it again where
the file is read, and is told there; only a crash, or no end, could not be told.
"""

from __future__ import annotations

import json
import sys
from typing import Any

NO_READER = 77  # exit code where there is no h5py to look with
WHOLE = 1 << 23  # bytes up to which an array is read whole; of a larger one the beginning and the end are
STRETCH = 1 << 20  # numbers or strings that are read at a time
MOST_STRINGS = 1 << 26  # more strings than this are no table that anybody has
MOST_MEMORY = 1 << 33  # bytes of address space
PACKED_BY_HDF5 = range(1, 256)  # filters with these numbers come with the library


def main(paths: str, file: str, seconds: str) -> int:
    """Visit a file and return an exit code.

    Parameters
    ----------
    paths
        JSON list of the folders that hold the packages.
    file
        The file.
    seconds
        CPU time after which the operating system ends this process.
    """
    sys.path[:0] = json.loads(paths)
    _limit(int(seconds))
    try:
        import h5py
    except ImportError:
        return NO_READER
    lacking: set[int] = set()
    try:
        with h5py.File(file, "r") as root:
            _visit(root, lacking)
    except Exception:
        pass
    sys.stdout.write(json.dumps(sorted(lacking)))
    return 0


def _limit(seconds: int) -> None:
    """End this process after so many seconds of CPU time, and keep it from taking all memory."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is left
        return
    for kind, limit in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_CORE, 0)):
        most = resource.getrlimit(kind)[1]
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(kind, (limit, most))


def _visit(root: Any, lacking: set[int]) -> None:
    """Look at every object once, however the links between them run; what fails is passed over."""
    import h5py

    waiting, seen = [root], set()
    while waiting:
        here = waiting.pop()
        try:
            address = h5py.h5o.get_info(here.id).addr
            if address in seen:
                continue
            seen.add(address)
            for name in here.attrs:
                here.attrs[name]
        except Exception:
            pass
        try:
            if isinstance(here, h5py.Group):
                waiting += list(_children(here))
            elif isinstance(here, h5py.Dataset):
                _read(here, lacking)
        except Exception:
            pass


def _children(group: Any) -> Any:
    import h5py

    for name in group:
        try:
            if isinstance(group.get(name, getlink=True), h5py.HardLink):
                yield group[name]
        except Exception:
            continue


def _read(array: Any, lacking: set[int]) -> None:
    """Read an array as far as is worth it."""
    absent = _absent_filters(array)
    if absent:
        try:
            import hdf5plugin  # noqa: F401 - it registers what it has
        except ImportError:
            lacking |= absent
            return
        absent = _absent_filters(array)
        lacking |= absent
        if absent:
            return
    if not array.shape:  # a single value, or none
        array[()]
        return
    size = 1
    for length in array.shape:
        size *= length
    if array.dtype.kind == "O":
        if size <= MOST_STRINGS:
            for start in range(0, array.shape[0], STRETCH):
                array[start : start + STRETCH]
    elif size * array.dtype.itemsize <= WHOLE:
        array[()]
    else:
        rows = max(1, STRETCH // max(1, size // array.shape[0]))
        array[:rows], array[-rows:]
        if array.chunks:
            array.id.get_num_chunks()


def _absent_filters(array: Any) -> set[int]:
    import h5py

    packing = array.id.get_create_plist()
    used = {packing.get_filter(place)[0] for place in range(packing.get_nfilters())}
    return {code for code in used if code not in PACKED_BY_HDF5 and not h5py.h5z.filter_avail(code)}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
