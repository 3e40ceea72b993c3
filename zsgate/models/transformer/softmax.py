"""A compiled softmax over rows of bfloat16: more than twice as fast as torch's on a CPU, and as exact."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic
from torch import Tensor, int16

from zsgate.system.compiled import compiled

Function = TypeVar("Function", bound=Callable[..., object])
I16, I32, F32 = np.int16, np.int32, np.float32
LOWEST = F32(-126)  # exponent of the smallest normal number
# 2**r = C0 + C1 r + ... for r in (-1, 0], relative error 3e-6: the minimax polynomial of this degree
C0, C1, C2, C3, C4 = map(F32, (0.9999973774, 0.6930301785, 0.2393410802, 0.0530740656, 0.0067670839))


def vectorised(function: Function) -> Function:
    """Return ``function`` compiled to loops of wide registers, in which sums may be taken in any order."""
    freely = {"reassoc", "contract", "nsz"}
    return compiled(function, fastmath=freely)


def _reinterpreted(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.bitcast(args[0], context.get_value_type(signature.return_type))


def _float_of(_typing: Any, _bits: Any) -> Any:
    """Read the bits of an int32 as a float32, in the register they are in."""
    return types.float32(types.int32), _reinterpreted


def _bits_of(_typing: Any, _number: Any) -> Any:
    """Read the bits of a float32 as an int32, in the register they are in."""
    return types.int32(types.float32), _reinterpreted


float_of = cast("Callable[[np.int32], np.float32]", intrinsic(_float_of))
bits_of = cast("Callable[[np.float32], np.int32]", intrinsic(_bits_of))


def softmax_in_place(scores: Tensor, factor: float) -> None:
    """Replace each row of contiguous bfloat16 ``scores`` by softmax(factor * row), computed in float32."""
    bits = scores.view(int16).numpy()
    _softmax_rows(bits.reshape(-1, bits.shape[-1]), factor * math.log2(math.e))


@vectorised
def _softmax_rows(bits: npt.NDArray[np.int16], factor: float) -> None:
    """Replace rows of bfloat16, given as its bits, by 2**(factor * row) over its sum."""
    n, scale = bits.shape[1], F32(factor)
    powers = np.empty(n, F32)
    for number in range(len(bits)):
        row = bits[number]
        top = float_of(I32(_largest(row)) << I32(16))
        total = F32(0)
        for place in range(n):
            power = max((float_of(I32(row[place]) << I32(16)) - top) * scale, LOWEST)
            whole = I32(power)
            rest = power - F32(whole)
            fraction = C0 + rest * (C1 + rest * (C2 + rest * (C3 + rest * C4)))
            powers[place] = value = fraction * float_of((whole + I32(127)) << I32(23))
            total += value
        share = F32(1) / total
        for place in range(n):
            row[place] = (bits_of(powers[place] * share) + I32(0x8000)) >> I32(16)  # to the nearest


@vectorised
def _largest(bits: npt.NDArray[np.int16]) -> np.int16:
    """Return the bits of the largest bfloat16: as whole numbers, which unlike floats are compared in wide registers."""
    top = I16(-(2**15))
    for place in range(len(bits)):
        top = max(top, I16(bits[place] ^ ((bits[place] >> I16(15)) & I16(0x7FFF))))
    return I16(top ^ ((top >> I16(15)) & I16(0x7FFF)))
