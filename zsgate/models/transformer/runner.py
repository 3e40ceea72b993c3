"""Running a network over packed batches of cells, on the CPU or a GPU, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zsgate.errors import UsageProblem
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.tokens import Rows, Tokens, batches

WINDOW = 4096  # cells tokenised and sorted by length at a time
GPU_BUDGET = 131_072  # tokens a batch

Outputs = tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class Batch:
    """Packed tokens where the network is.

    Attributes
    ----------
    ids
        int32 (n_tokens,).
    bins
        int8 (n_tokens,), or None.
    runs
        The cells' runs.
    """

    ids: torch.Tensor
    bins: torch.Tensor | None
    runs: Runs

    @classmethod
    def of(cls, tokens: Tokens, device: torch.device) -> Batch:
        """Return ``tokens`` on ``device``."""

        def there(part: npt.NDArray[np.integer]) -> torch.Tensor:
            tensor = torch.from_numpy(part)
            return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

        bins = None if tokens.bins is None else there(tokens.bins)
        return cls(there(tokens.ids), bins, Runs(tuple(tokens.lengths.tolist()), device))


Forward = Callable[[Batch], Sequence[torch.Tensor]]


class Runner:
    """Runs a forward pass over many cells.

    On the CPU a batch is one cell, as many at a time as there are threads, each on one: rows then do not depend
    on batches or on the number of CPUs, and a cell's activations stay in the cache. On a GPU a batch is
    as many cells as the token budget holds; running out of memory halves it.

    Parameters
    ----------
    device
        Where the network is.
    budget
        Tokens a batch; None is a cell a batch on a CPU, and what suits a GPU there.
    """

    def __init__(self, device: torch.device, budget: int | None = None) -> None:
        self.device = device
        self.budget = budget or (0 if device.type == "cpu" else GPU_BUDGET)

    def __call__(self, tokens: Tokens, forward: Forward) -> Iterator[tuple[Rows, Outputs]]:
        """Yield (positions of the cells of a batch, the arrays ``forward`` made of it), longest cells first."""
        if not self.budget:
            yield from self._on_threads(tokens, forward)
            return
        waiting = list(batches(tokens.lengths, self.budget))[::-1]
        while waiting:
            cells = waiting.pop()
            try:
                outputs = self._run(tokens, cells, forward)
            except torch.OutOfMemoryError as error:
                reason = str(error)  # and not the error, whose traceback holds the tensors to be freed
            else:
                yield cells, outputs
                continue
            waiting += self._halved(tokens, cells, reason)

    def _on_threads(self, tokens: Tokens, forward: Forward) -> Iterator[tuple[Rows, Outputs]]:
        cells = list(batches(tokens.lengths, 0))
        with one_thread_each() as n_threads, ThreadPoolExecutor(n_threads) as pool:
            yield from zip(cells, pool.map(lambda each: self._run(tokens, each, forward), cells), strict=True)

    def _run(self, tokens: Tokens, cells: Rows, forward: Forward) -> Outputs:
        with torch.inference_mode():
            outputs = forward(Batch.of(tokens.take(cells), self.device))
            return tuple(output.cpu().numpy() for output in outputs)

    def _halved(self, tokens: Tokens, cells: Rows, reason: str) -> list[Rows]:
        """Halve the budget and return the failed batch in parts that respect it."""
        if len(cells) == 1:
            msg = f"{self.device} has no room for one cell of {tokens.lengths[cells[0]]} tokens: {reason}"
            raise UsageProblem(msg)
        torch.cuda.empty_cache()
        self.budget = max(1, min(self.budget, int(tokens.lengths[cells].sum())) // 2)
        return [cells[part] for part in batches(tokens.lengths[cells], self.budget)][::-1]


@contextmanager
def one_thread_each() -> Iterator[int]:
    """Let torch use one thread an operation inside the block; yield how many it used before."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)


def windows(n_cells: int, size: int = WINDOW) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of consecutive windows over the cells."""
    for start in range(0, n_cells, size):
        yield start, min(start + size, n_cells)


def chosen_device(name: str) -> torch.device:
    """Return the device called ``name``; ``"auto"`` is CUDA where torch sees it."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        msg = f"device {name}: torch {torch.__version__} sees no CUDA device"
        raise UsageProblem(msg)
    return torch.device(name)


def chosen_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """Return the number format called ``name``; None is bfloat16 on a GPU that has it, else float32."""
    if name is None:
        half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if half else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in known:
        msg = f"dtype {name!r} is none of {', '.join(known)}"
        raise UsageProblem(msg)
    return known[name]
