"""Which device and which number format a model runs in."""

from __future__ import annotations

from functools import cache

from zsgate.errors import UsageProblem


def chosen(gpu: bool) -> str:
    """Return ``"cuda"`` if asked for and there, else ``"cpu"``; never falls back silently.

    Raises
    ------
    UsageProblem
        If a GPU is asked for and torch sees none.
    """
    if not gpu:
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        built = f"was built for CUDA {torch.version.cuda}" if torch.version.cuda else "is a build without CUDA"
        msg = f"--gpu: torch {torch.__version__} {built} and sees no CUDA device; leave --gpu out to run on the CPU"
        raise UsageProblem(msg)
    return "cuda"


@cache
def fast_dtype(device: str) -> str:
    """Return ``"bfloat16"`` where the hardware multiplies it natively, else ``"float32"``."""
    import torch

    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"
