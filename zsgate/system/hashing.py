"""Hashing: 64-bit numbers that look random and depend on their input alone."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Words = TypeVar("Words", np.uint64, npt.NDArray[np.uint64])
INCREMENT = 0x9E3779B97F4A7C15  # 2 ** 64 divided by the golden ratio


def mix(words: Words) -> Words:
    """Return the SplitMix64 output of one word or of each: evenly spread, and different for different words.

    It adds :data:`INCREMENT`, then applies the finaliser of Steele, Lea and Flood (OOPSLA 2014), all modulo 2 ** 64.
    Numba can compile it, so it is written without anything that Numba does not know.
    """
    words = words + np.uint64(INCREMENT)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
