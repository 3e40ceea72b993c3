"""The device is the one asked for, or an error; the number format is one the hardware has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zsgate.errors import UsageProblem
from zsgate.models.device import chosen, fast_dtype


def test_the_cpu_needs_nothing():
    """Without --gpu the CPU is used, also where a GPU is there."""
    assert chosen(False) == "cpu"


def test_a_gpu_is_never_replaced_silently():
    """--gpu runs on CUDA or says why it cannot, in one sentence."""
    if torch.cuda.is_available():
        assert chosen(True) == "cuda"
        return
    with pytest.raises(UsageProblem, match=r"^--gpu: torch .* sees no CUDA device; leave --gpu out to run on the CPU$"):
        chosen(True)


def test_the_fast_format_is_the_hardware_s():
    """bfloat16 exactly where the CPU multiplies it natively, as the kernel's list of its features says."""
    features = Path("/proc/cpuinfo")
    if not features.is_file() or "flags" not in features.read_text():
        pytest.skip("the kernel does not list the CPU's features here")
    native = {"avx512_bf16", "amx_tile"} & set(features.read_text().split())
    assert fast_dtype("cpu") == ("bfloat16" if native else "float32")
