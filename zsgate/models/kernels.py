"""Compiled loops over the cells of a CSR matrix: keyed draws, quantile bins, rank encoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Function = TypeVar("Function", bound=Callable[..., object])
Bytes = npt.NDArray[np.int8]
Bits = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

TABLED = 1024  # counts below this are binned through a table, larger ones one by one
TOKEN_BITS = 15  # a token fits in these low bits of a packed sort key
TOKEN_MASK = (1 << TOKEN_BITS) - 1


def compiled(function: Function) -> Function:
    """Return ``function`` compiled without the interpreter lock, kept on disk between processes."""
    return cast("Function", numba.njit(cache=True, nogil=True)(function))


@compiled
def mixed(bits: np.uint64) -> np.uint64:
    """Return the SplitMix64 finaliser of ``bits`` (Steele, Lea & Flood 2014): uniform, one to one."""
    bits += np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@compiled
def select(indptr: Integers, indices: Ids, counts: Floats, tokens: Ids) -> tuple[Integers, Ids, Ids, Floats]:
    """Return (offsets, tokens, columns, counts) of the entries whose column has a token (not -1)."""
    offsets = np.zeros(len(indptr), np.int64)
    for cell in range(len(indptr) - 1):
        mapped = 0
        for entry in range(indptr[cell], indptr[cell + 1]):
            mapped += tokens[indices[entry]] >= 0
        offsets[cell + 1] = offsets[cell] + mapped
    ids = np.empty(offsets[-1], np.int32)
    columns = np.empty(offsets[-1], np.int32)
    kept = np.empty(offsets[-1], np.float32)
    place = 0
    for entry in range(indptr[0], indptr[-1]):
        column = indices[entry]
        if tokens[column] >= 0:
            ids[place], columns[place], kept[place] = tokens[column], column, counts[entry]
            place += 1
    return offsets, ids, columns, kept


@compiled
def hash_entries(offsets: Integers, ids: Ids, counts: Floats, seed: int) -> Bits:
    """Return one random word an entry, fixed by the seed and its cell's (token, count) pairs alone."""
    words = np.empty(len(ids), np.uint64)
    start = mixed(np.uint64(seed))
    for cell in range(len(offsets) - 1):
        key = start
        for entry in range(offsets[cell], offsets[cell + 1]):
            words[entry] = mixed(mixed(np.uint64(ids[entry])) + np.uint64(counts[entry]))
            key += words[entry]  # a sum: the order of the genes does not matter
        key = mixed(key)
        for entry in range(offsets[cell], offsets[cell + 1]):
            words[entry] = mixed(key ^ words[entry])
    return words


@compiled
def mixed_each(words: Bits) -> Bits:
    """Return another random word for each of ``words``."""
    others = np.empty(len(words), np.uint64)
    for entry in range(len(words)):
        others[entry] = mixed(words[entry])
    return others


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
    cumulated = np.empty(TABLED, np.int64)
    table_below = np.empty(TABLED, np.int8)
    table_ties = np.empty(TABLED, np.int8)
    for cell in range(len(offsets) - 1):
        row = counts[offsets[cell] : offsets[cell + 1]]
        if len(row) == 0:
            continue
        cumulated[:] = 0
        for count in row:
            if count < TABLED:
                cumulated[int(count)] += 1
        for count in range(1, TABLED):
            cumulated[count] += cumulated[count - 1]
        quantile_edges(cumulated, np.sort(row[row >= TABLED]), quantiles, edges)
        under, upto = 0, 0
        for count in range(min(TABLED, int(edges[-1]) + 1)):
            while under < len(edges) and edges[under] < count:
                under += 1
            while upto < len(edges) and edges[upto] <= count:
                upto += 1
            table_below[count], table_ties[count] = under, upto - under
        for place, count in enumerate(row):
            entry = offsets[cell] + place
            if count < TABLED:
                below[entry], ties[entry] = table_below[int(count)], table_ties[int(count)]
            else:
                under = np.searchsorted(edges, count)
                below[entry] = under
                ties[entry] = np.searchsorted(edges, count, side="right") - under
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
def bound_of_smallest(words: Bits, limit: int) -> np.uint64:
    """Return the word that ``limit`` of the ``words`` do not exceed, found among those of its leading byte."""
    leading = np.zeros(256, np.int64)
    for word in words:
        leading[word >> np.uint64(56)] += 1
    byte, below = 0, 0
    while below + leading[byte] < limit:
        below += leading[byte]
        byte += 1
    last = np.empty(leading[byte], np.uint64)
    place = 0
    for word in words:
        if word >> np.uint64(56) == byte:
            last[place] = word
            place += 1
    return np.uint64(np.sort(last)[limit - below - 1])


@compiled
def sample(offsets: Integers, words: Bits, limit: int) -> tuple[Integers, Integers]:
    """Return (offsets, entries kept): in each cell the ``limit`` entries of smallest word, in their order."""
    kept_offsets = np.zeros(len(offsets), np.int64)
    for cell in range(len(offsets) - 1):
        kept_offsets[cell + 1] = kept_offsets[cell] + min(limit, offsets[cell + 1] - offsets[cell])
    entries = np.empty(kept_offsets[-1], np.int64)
    for cell in range(len(offsets) - 1):
        start, stop, place = offsets[cell], offsets[cell + 1], kept_offsets[cell]
        bound = np.uint64(0xFFFFFFFFFFFFFFFF)
        if stop - start > limit:
            bound = bound_of_smallest(words[start:stop], limit)
        for entry in range(start, stop):
            if words[entry] <= bound and place < kept_offsets[cell + 1]:
                entries[place] = entry
                place += 1
    return kept_offsets, entries


@compiled
def assemble(
    offsets: Integers, kept: Integers, ids: Ids, columns: Ids, bins: Bytes, ties: Bytes, first: int, value: int
) -> tuple[Integers, Ids, Ids, Bytes, Bytes]:
    """Return the entries ``kept`` of each cell behind a token ``first`` whose bin is ``value``."""
    n_cells = len(offsets) - 1
    size = len(kept) + n_cells
    all_offsets = offsets + np.arange(n_cells + 1)
    all_ids, all_columns = np.empty(size, np.int32), np.empty(size, np.int32)
    all_bins, all_ties = np.empty(size, np.int8), np.empty(size, np.int8)
    for cell in range(n_cells):
        place = all_offsets[cell]
        all_ids[place], all_columns[place], all_bins[place], all_ties[place] = first, -1, value, 0
        for entry in kept[offsets[cell] : offsets[cell + 1]]:
            place += 1
            all_ids[place], all_columns[place] = ids[entry], columns[entry]
            all_bins[place], all_ties[place] = bins[entry], ties[entry]
    return all_offsets, all_ids, all_columns, all_bins, all_ties


@compiled
def pack_ranks(ids: Ids, counts: Floats, medians: Doubles) -> Integers:
    """Return sort keys: the leading bits of count / median, then the token, smaller tokens first."""
    scaled = np.empty(len(ids))
    for entry in range(len(ids)):
        scaled[entry] = counts[entry] / medians[ids[entry]]
    keys = scaled.view(np.int64)  # the bits of positive doubles sort as the doubles do
    for entry in range(len(ids)):
        keys[entry] = (keys[entry] & ~TOKEN_MASK) | (TOKEN_MASK - ids[entry])
    return keys


@compiled
def unpack_ranks(
    offsets: Integers, ids: Ids, counts: Floats, keys: Integers, medians: Doubles, limit: int
) -> tuple[Integers, Ids]:
    """Return (offsets, tokens): each cell's first ``limit`` by falling count / median, exact ties by token.

    ``keys`` are sorted upwards in each cell; what the token displaced in a key is settled by insertion.
    """
    ranked = np.empty(len(ids), np.int32)
    scaled = np.empty(len(medians))
    kept_offsets = np.zeros(len(offsets), np.int64)
    for cell in range(len(offsets) - 1):
        start, stop, kept = offsets[cell], offsets[cell + 1], kept_offsets[cell]
        for entry in range(start, stop):
            scaled[ids[entry]] = counts[entry] / medians[ids[entry]]
        for place in range(stop - start):
            token = TOKEN_MASK - (keys[stop - 1 - place] & TOKEN_MASK)
            spot = start + place
            while spot > start and (
                scaled[ranked[spot - 1]] < scaled[token]
                or (scaled[ranked[spot - 1]] == scaled[token] and ranked[spot - 1] > token)
            ):
                ranked[spot] = ranked[spot - 1]
                spot -= 1
            ranked[spot] = token
        length = min(limit, stop - start)
        ranked[kept : kept + length] = ranked[start : start + length]  # kept <= start: nothing unread is lost
        kept_offsets[cell + 1] = kept + length
    return kept_offsets, ranked[: kept_offsets[-1]]
