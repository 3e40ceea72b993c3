"""Which device a model runs on, in which number format, and on how many threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from zsgate.errors import UsageProblem, unknown

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")
SPELLINGS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
CPUINFO = Path("/proc/cpuinfo")
NATIVE_BFLOAT16 = frozenset({"avx512_bf16", "amx_tile"})  # flags, as Linux names them, of CPUs that multiply bfloat16


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


def spelled_out(dtype: str) -> str:
    """Return the name of a number format as :data:`DTYPES` has it, of this or of a shorter spelling."""
    return SPELLINGS.get(str(dtype), dtype)


def chosen_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """Return the number format called ``name``; None is bfloat16 on a GPU that has it, else float32.

    On a CPU None is float32 also where :func:`fast_dtype` is bfloat16: the published embeddings of scGPT and
    Geneformer are of float32.

    Raises
    ------
    UsageProblem
        If ``name`` is none of :data:`DTYPES` nor of :data:`SPELLINGS`.
    """
    import torch

    if name is None:
        name = fast_dtype("cuda") if device.type == "cuda" else "float32"
    name = spelled_out(name)
    if name not in DTYPES:
        raise UsageProblem(unknown("dtype", name, DTYPES))
    dtype: torch.dtype = getattr(torch, name)
    return dtype


@cache
def fast_dtype(device: str) -> str:
    """Return ``"bfloat16"`` where the hardware multiplies it natively, else ``"float32"``.

    Of a CPU the system is asked where it says so, for torch takes longer to load than a run on a warm store.
    """
    if not device.startswith("cuda"):
        flags = cpu_flags()
        native = _asked_of_torch() if flags is None else bool(flags & NATIVE_BFLOAT16)
        return "bfloat16" if native else "float32"
    import torch

    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"


def cpu_flags() -> frozenset[str] | None:
    """Return what Linux says that the CPU can do, in its names; None where the system does not say it.

    Of a Mac's nothing is listed: none was made with AVX-512-BF16 or AMX tiles, and torch finds neither on its chips.
    """
    if sys.platform == "darwin":
        return frozenset()
    try:
        lines = CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    said = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    first = next(said, None)
    return None if first is None else frozenset(first.split())


def _asked_of_torch() -> bool:
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


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
