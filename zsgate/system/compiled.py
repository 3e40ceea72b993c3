"""Compiled: loops that Numba compiles, kept on disk between processes wherever something can be kept."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import caching

from zsgate.system.files import others_who_write

Function = TypeVar("Function", bound=Callable[..., object])
NumbaCache: Any = caching.FunctionCache
CONFIG: Any = numba.config
FOLDER = "kernels"  # in the cache folder that ZSGATE_CACHE names


def compiled(function: Function, **options: Any) -> Function:
    """Return ``function`` compiled without the interpreter's lock.

    It is kept where Numba keeps it: in the folder that NUMBA_CACHE_DIR names, beside its source, or in the home folder;
    else in the cache folder that ZSGATE_CACHE names, if only this account can write there, because what is kept is code
    that will run. Where nothing can be kept, every process compiles it anew, which takes seconds.

    Parameters
    ----------
    function
        Of a module, in the part of Python that Numba knows.
    **options
        Of ``numba.njit``.
    """
    dispatcher = numba.njit(nogil=True, **options)(function)
    with suppress(RuntimeError, OSError):  # Numba's for "nowhere"
        dispatcher._cache = _kept(function)
    return cast("Function", dispatcher)


class _Kept(NumbaCache):  # type: ignore[misc]
    """Numba's cache of one function; a disk that is full, or a file that is damaged, costs time and nothing else."""

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Return what was compiled before, or None."""
        try:
            return super().load_overload(signature, context)
        except Exception:  # the boundary to pickle: a damaged file fails in any way
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep what was compiled."""
        with suppress(OSError):
            super().save_overload(signature, data)


def _kept(function: Callable[..., object]) -> _Kept:
    """Return the cache of a function, in the first place that can be written to."""
    beside = os.access(Path(inspect.getfile(function)).parent, os.W_OK)
    if CONFIG.CACHE_DIR or beside or Path("~").expanduser().is_absolute():
        with suppress(RuntimeError):
            return _Kept(function)
    with _in_own_folder():
        return _Kept(function)


@contextmanager
def _in_own_folder() -> Iterator[None]:
    """Let Numba keep what it compiles in the cache folder; raises OSError where that cannot be trusted."""
    named = os.environ.get("ZSGATE_CACHE", "")
    if not named or any(others_who_write(place) for place in (Path(named), Path(named) / FOLDER) if place.exists()):
        raise OSError
    before, CONFIG.CACHE_DIR = CONFIG.CACHE_DIR, str(Path(named).expanduser().absolute() / FOLDER)
    try:
        yield
    finally:
        CONFIG.CACHE_DIR = before
