"""Words are mixed as SplitMix64 mixes them, alone, in arrays and compiled."""

from __future__ import annotations

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.system.hashing import INCREMENT, mix

# what Rosetta Code lists for SplitMix64 with the seed 1234567
PUBLISHED = (6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821)
COMPILED = numba.njit(mix)


def test_the_published_sequence_comes_out():
    """The generator's state grows by the increment; each output is the mixed state before that step."""
    states = np.array([(1234567 + step * INCREMENT) % 2**64 for step in range(5)], dtype=np.uint64)
    assert mix(states).tolist() == list(PUBLISHED)
    assert states[0] == 1234567, "the input is left alone"


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**64 - 1))
def test_compiled_and_plain_give_the_same_bits(word):
    """One word at a time under Numba, and in an array."""
    assert int(COMPILED(np.uint64(word))) == int(mix(np.array([word], dtype=np.uint64))[0])
