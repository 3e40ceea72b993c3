"""Which device a model runs on, in which number format, and on how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from zsgate.errors import UsageProblem, unknown

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")


def chosen(gpu: bool) -> str:
    """Return ``"cuda"`` if a GPU is asked for, else ``"cpu"``; never falls back to the CPU silently.

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


def chosen_device(name: str) -> torch.device:
    """Return the device called ``name``; ``"auto"`` is CUDA where torch sees it, else the CPU.

    Raises
    ------
    UsageProblem
        If CUDA is named and torch sees no CUDA device.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        msg = f"device {name}: torch {torch.__version__} sees no CUDA device"
        raise UsageProblem(msg)
    return torch.device(name)


def chosen_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """Return the number format called ``name``; None is bfloat16 on a GPU that has it, else float32.

    On a CPU None is float32 also where :func:`fast_dtype` is bfloat16: the published embeddings of scGPT and
    Geneformer are of float32.

    Raises
    ------
    UsageProblem
        If ``name`` is none of :data:`DTYPES`.
    """
    import torch

    if name is None:
        name = fast_dtype("cuda") if device.type == "cuda" else "float32"
    if name not in DTYPES:
        raise UsageProblem(unknown("dtype", name, DTYPES))
    dtype: torch.dtype = getattr(torch, name)
    return dtype


@cache
def fast_dtype(device: str) -> str:
    """Return ``"bfloat16"`` where the hardware multiplies it natively, else ``"float32"``."""
    import torch

    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"


@contextmanager
def one_thread_each() -> Iterator[int]:
    """Let torch use one thread an operation inside the block; yield how many it used before."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)
