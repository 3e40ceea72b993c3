"""Compiled loops that put counts in quantile bins, as scGPT reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.models.transformer.kernels import Bits, Floats, Ids, Integers
from zsgate.system.compiled import compiled

Bytes = npt.NDArray[np.int8]
Doubles = npt.NDArray[np.float64]


class Entries(NamedTuple):
    """Token, column of the dataset, bin and number of tied bins of each entry, arrays of one length."""

    ids: Ids
    columns: Ids
    bins: Bytes
    ties: Bytes


TABLED = 1024  # counts below this are binned through a table, larger ones one by one


@compiled
def quantile_edges(cumulated: Integers, large: Floats, quantiles: Doubles, edges: Doubles) -> None:
    """Fill ``edges`` with linearly interpolated quantiles, in the floating point steps of numpy.quantile.

    ``cumulated[c]`` is the number of values <= c; ``large`` holds those >= TABLED, sorted.
    """
    small = cumulated[-1]
    last = small + len(large) - 1
    value = 0
    for edge in range(len(quantiles)):
        virtual = last * quantiles[edge]
        before = int(np.floor(virtual))
        share = virtual - before
        if before < small:
            while cumulated[value] <= before:
                value += 1
            low = float(value)
        else:
            low = float(large[before - small])
        after = min(before + 1, last)
        if after < small:
            high = value
            while cumulated[high] <= after:
                high += 1
            step = float(high) - low
        else:
            step = float(large[after - small]) - low
        edges[edge] = low + step * share if share < 0.5 else (low + step) - step * (1 - share)


@compiled
def digitise(offsets: Integers, counts: Floats, quantiles: Doubles) -> tuple[Bytes, Bytes]:
    """Return for each count (#edges < count, #edges equal to it), edges being its cell's quantiles."""
    below = np.empty(len(counts), np.int8)
    ties = np.empty(len(counts), np.int8)
    edges = np.empty(len(quantiles))
    cumulated = np.empty(TABLED + 1, np.int64)  # the last one: how many are larger
    table_below = np.empty(TABLED, np.int8)
    table_ties = np.empty(TABLED, np.int8)
    for cell in range(len(offsets) - 1):
        row = counts[offsets[cell] : offsets[cell + 1]]
        if len(row) == 0:
            continue
        cumulated[:] = 0
        for count in row:
            cumulated[min(int(count), TABLED)] += 1
        n_large = cumulated[TABLED]
        for count in range(1, TABLED):
            cumulated[count] += cumulated[count - 1]
        large = np.sort(row[row >= TABLED]) if n_large else row[:0]
        quantile_edges(cumulated[:TABLED], large, quantiles, edges)
        under, upto = 0, 0
        for count in range(min(TABLED, int(edges[-1]) + 1)):
            while under < len(edges) and edges[under] < count:
                under += 1
            while upto < len(edges) and edges[upto] <= count:
                upto += 1
            table_below[count], table_ties[count] = under, upto - under
        own_below, own_ties = below[offsets[cell] : offsets[cell + 1]], ties[offsets[cell] : offsets[cell + 1]]
        for place in range(len(row)):
            count = min(int(row[place]), TABLED - 1)
            own_below[place], own_ties[place] = table_below[count], table_ties[count]
        for place in range(len(row) if n_large else 0):
            if row[place] >= TABLED:
                under = np.searchsorted(edges, row[place])
                own_below[place] = under
                own_ties[place] = np.searchsorted(edges, row[place], side="right") - under
    return below, ties


@compiled
def draw_bins(words: Bits, below: Bytes, ties: Bytes) -> Bytes:
    """Return bins uniform on below + 1 .. below + ties; a count between two edges has the bin ``below``."""
    bins = np.empty(len(words), np.int8)
    for entry in range(len(words)):
        uniform = float(words[entry] >> np.uint64(11)) * 2.0**-53
        top = below[entry] + ties[entry]
        bins[entry] = np.int8(np.ceil(top - uniform * ties[entry]))
    return bins


@compiled
def assemble(offsets: Integers, kept: Integers, entries: Entries, first: int, value: int) -> tuple[Integers, Entries]:
    """Return (offsets, entries): those ``kept`` of each cell, behind a token ``first`` whose bin is ``value``."""
    n_cells = len(offsets) - 1
    size = len(kept) + n_cells
    all_offsets = offsets + np.arange(n_cells + 1)
    ids, columns = np.empty(size, np.int32), np.empty(size, np.int32)
    bins, ties = np.empty(size, np.int8), np.empty(size, np.int8)
    for cell in range(n_cells):
        place = all_offsets[cell]
        ids[place], columns[place], bins[place], ties[place] = first, -1, value, 0
        for entry in kept[offsets[cell] : offsets[cell + 1]]:
            place += 1
            ids[place], columns[place] = entries.ids[entry], entries.columns[entry]
            bins[place], ties[place] = entries.bins[entry], entries.ties[entry]
    return all_offsets, Entries(ids, columns, bins, ties)
