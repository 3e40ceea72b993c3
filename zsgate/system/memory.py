"""Memory: how freed blocks are used again while a model runs on the CPU."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_freed_blocks() -> None:
    """Let glibc reuse freed memory instead of returning it to the kernel after each tensor.

    Activations are a few megabytes, so by default each is mapped and zeroed anew; reusing them makes inference and
    training on CPUs about a fifth faster. Elsewhere than on glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
