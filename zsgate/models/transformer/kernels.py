"""Compiled loops over the cells of a CSR matrix: entries with a token, random words keyed by content."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zsgate.system.compiled import compiled
from zsgate.system.hashing import mix

Bits = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


mixed = compiled(mix)


@compiled
def select(indptr: Integers, indices: Ids, counts: Floats, tokens: Ids) -> tuple[Integers, Ids, Ids, Floats]:
    """Return (offsets, tokens, columns, counts) of the entries whose column has a token (not -1)."""
    offsets = np.zeros(len(indptr), np.int64)
    room = indptr[-1] - indptr[0] + 1  # every entry is written; the next one overwrites it if it is not kept
    ids, columns, kept = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.float32)
    place = 0
    for cell in range(len(indptr) - 1):
        for entry in range(indptr[cell], indptr[cell + 1]):
            column = indices[entry]
            ids[place], columns[place], kept[place] = tokens[column], column, counts[entry]
            place += tokens[column] >= 0
        offsets[cell + 1] = place
    return offsets, ids[:place], columns[:place], kept[:place]


@compiled
def hash_entries(offsets: Integers, ids: Ids, counts: Floats, seed: int) -> Bits:
    """Return one random word an entry, fixed by the seed and its cell's (token, count) pairs alone."""
    words = np.empty(len(ids), np.uint64)
    start = mixed(np.uint64(seed))
    for cell in range(len(offsets) - 1):
        row = slice(offsets[cell], offsets[cell + 1])
        own, tokens, values = words[row], ids[row], counts[row]
        key = start
        for entry in range(len(own)):
            word = mixed(mixed(np.uint64(tokens[entry])) + np.uint64(values[entry]))
            own[entry] = word
            key += word  # a sum: the order of the genes does not matter
        key = mixed(key)
        for entry in range(len(own)):
            own[entry] = mixed(key ^ own[entry])
    return words


@compiled
def mixed_each(words: Bits) -> Bits:
    """Return another random word for each of ``words``."""
    others = np.empty(len(words), np.uint64)
    for entry in range(len(words)):
        others[entry] = mixed(words[entry])
    return others


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
    entries = np.empty(kept_offsets[-1] + 1, np.int64)  # as in select: what is not kept is overwritten
    for cell in range(len(offsets) - 1):
        start, stop = offsets[cell], offsets[cell + 1]
        place, end = kept_offsets[cell], kept_offsets[cell + 1]
        bound = np.uint64(0xFFFFFFFFFFFFFFFF)
        if stop - start > limit:
            bound = bound_of_smallest(words[start:stop], limit)
        for entry in range(start, stop):
            entries[place] = entry
            place += (words[entry] <= bound) & (place < end)
    return kept_offsets, entries[:-1]
