"""Names: of what kind one is, and what to say of one that is not known."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

FILES = (".h5ad", ".zarr")


def is_file(entry: str) -> bool:
    """Return whether a dataset is named by its file, not by its name."""
    return entry.endswith(FILES)


def unknown(what: str, value: str, known: tuple[str, ...]) -> str:
    """Return the sentence for a name that is not known, with the nearest that is."""
    near = nearest(value, known)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"unknown {what} {value!r}{hint} (known: {', '.join(known)})"


def nearest(value: str, known: Collection[str], cutoff: float = 0.4) -> str | None:
    """Return the name among ``known`` that looks most like ``value``, in whatever case, or None."""
    lower = {name.lower(): name for name in known}
    near = get_close_matches(value.lower(), lower, n=1, cutoff=cutoff)
    return lower[near[0]] if near else None
