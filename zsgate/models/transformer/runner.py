"""Running a network over packed batches of cells, on the CPU or a GPU, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zsgate.errors import UsageProblem
from zsgate.models.device import one_thread_each
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.tokens import Rows, Tokens, batches

WINDOW = 4096  # cells tokenised and sorted by length at a time
GPU_BUDGET = 524_288  # tokens a batch

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
    values
        float32 (n_tokens,), or None.
    """

    ids: torch.Tensor
    bins: torch.Tensor | None
    runs: Runs
    values: torch.Tensor | None = None

    @classmethod
    def of(cls, tokens: Tokens, device: torch.device) -> Batch:
        """Return ``tokens`` on ``device``."""

        def there(part: npt.NDArray[np.integer | np.floating]) -> torch.Tensor:
            tensor = torch.from_numpy(part)
            return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

        bins = None if tokens.bins is None else there(tokens.bins)
        values = None if tokens.values is None else there(tokens.values)
        return cls(there(tokens.ids), bins, Runs(tuple(tokens.lengths.tolist()), device), values)


Forward = Callable[[Batch], Sequence[torch.Tensor]]


class Runner:
    """Runs a forward pass over many cells.

    On a CPU as many batches run at a time as there are threads, each on one. A batch is one cell, unless the model
    says otherwise: rows then do not depend on batches or on the number of CPUs, and a cell's activations stay in the
    cache. On a GPU a batch is as many cells as the token budget holds; running out of memory halves it.

    Parameters
    ----------
    device
        Where the network is.
    budget
        Tokens a batch; None is a cell a batch on a CPU, and what suits a GPU there.
    alike
        Whether all cells of a batch must have as many tokens.
    side_by_side
        Whether batches run at the same time, one a thread; None: on a CPU.
    """

    def __init__(
        self, device: torch.device, budget: int | None = None, *, alike: bool = False, side_by_side: bool | None = None
    ) -> None:
        on_cpu = device.type == "cpu"
        self.device = device
        self.budget = budget or (0 if on_cpu else GPU_BUDGET)
        self.alike = alike
        self.side_by_side = on_cpu if side_by_side is None else side_by_side

    def __call__(self, tokens: Tokens, forward: Forward) -> Iterator[tuple[Rows, Outputs]]:
        """Yield (positions of the cells of a batch, the arrays ``forward`` made of it), longest cells first."""
        if self.side_by_side:
            yield from self._on_threads(tokens, forward)
            return
        waiting = self._batches(tokens.lengths)[::-1]
        while waiting:
            cells = waiting.pop()
            if len(cells) > 1 and tokens.lengths[cells].sum() > self.budget:  # made before there was too little room
                waiting += [cells[part] for part in self._batches(tokens.lengths[cells])][::-1]
                continue
            try:
                outputs = self._run(tokens, cells, forward)
            except torch.OutOfMemoryError as error:
                reason = str(error)  # and not the error, whose traceback holds the tensors to be freed
            else:
                yield cells, outputs
                continue
            self._halve_budget(tokens.lengths[cells], reason)
            waiting.append(cells)

    def _on_threads(self, tokens: Tokens, forward: Forward) -> Iterator[tuple[Rows, Outputs]]:
        cells = self._batches(tokens.lengths)
        with one_thread_each() as n_threads, ThreadPoolExecutor(n_threads) as pool:
            yield from zip(cells, pool.map(lambda each: self._run(tokens, each, forward), cells), strict=True)

    def _batches(self, lengths: npt.NDArray[np.int64]) -> list[Rows]:
        return list(batches(lengths, self.budget, alike=self.alike))

    def _run(self, tokens: Tokens, cells: Rows, forward: Forward) -> Outputs:
        with torch.inference_mode():
            outputs = forward(Batch.of(tokens.take(cells), self.device))
            return tuple(output.cpu().numpy() for output in outputs)

    def _halve_budget(self, lengths: npt.NDArray[np.int64], reason: str) -> None:
        """Halve the budget below the tokens of a batch that had no room; refuse a single cell that has none."""
        if len(lengths) == 1:
            msg = f"{self.device} has no room for one cell of {lengths[0]} tokens: {reason}"
            raise UsageProblem(msg)
        torch.cuda.empty_cache()
        self.budget = max(1, min(self.budget, int(lengths.sum())) // 2)


def windows(n_cells: int, size: int = WINDOW) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of consecutive windows over the cells."""
    for start in range(0, n_cells, size):
        yield start, min(start + size, n_cells)
