"""Maps: where cells lie in two dimensions, for the eye."""

from __future__ import annotations

import base64
import struct

from zsgate.report.record.entry import Count, Entry

SIDE = 1000  # positions are whole numbers below this


class MapRecord(Entry, frozen=True, kw_only=True):
    """The same cells of a dataset by several methods. Arrays are little-endian unsigned 16-bit numbers in Base64.

    Attributes
    ----------
    dataset
        Whose cells.
    n_cells
        How many are shown, at most 4,000.
    methods
        Name of each method, and the positions of its cells, across and down in turn, from 0 to 999.
    cell_types
        Type of each cell, a place in the dataset's list of types.
    batches
        Batch of each cell, a place in ``batch_names``; empty where none are known.
    batch_names
        Names of the batches.
    why
        Why there are none; empty where there are.
    """

    dataset: str
    n_cells: Count = 0
    methods: tuple[tuple[str, str], ...] = ()
    cell_types: str = ""
    batches: str = ""
    batch_names: tuple[str, ...] = ()
    why: str = ""


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers that a field holds.

    Raises
    ------
    ValueError
        If it is no Base64 of whole numbers.
    """
    held = base64.b64decode(text, validate=True)
    if len(held) % 2:
        msg = "an odd number of bytes"
        raise ValueError(msg)
    return struct.unpack(f"<{len(held) // 2}H", held)


def packed(values: bytes) -> str:
    """Return bytes as a field holds them."""
    return base64.b64encode(values).decode()
