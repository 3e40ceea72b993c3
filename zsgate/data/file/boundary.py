"""Boundary: what other people's readers of files say becomes one sentence of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zsgate.errors import UsageProblem

LONGEST = 300  # letters of a reader's own message that are shown


@contextmanager
def boundary(complaint: str) -> Iterator[None]:
    """Raise any error of h5py, zarr, anndata or SciPy as a UsageProblem of one sentence that begins with ``complaint``.

    A damaged file, or one of a newer format, fails in these libraries in any way.
    """
    try:
        yield
    except UsageProblem:
        raise
    except MemoryError:  # of this machine, or of a file that claims to hold more than any
        msg = f"{complaint} (it does not fit into memory)"
        raise UsageProblem(msg) from None
    except Exception as error:  # the boundary to formats and their readers
        msg = f"{complaint} ({in_one_line(error)})"
        raise UsageProblem(msg) from error


def in_one_line(error: BaseException) -> str:
    """Return what an error says in one line that every terminal can show, cut where it is long."""
    said = " ".join(str(error).split()) or type(error).__name__
    said = said.encode("utf-8", "backslashreplace").decode("utf-8")
    return said if len(said) <= LONGEST else said[:LONGEST] + " ..."
