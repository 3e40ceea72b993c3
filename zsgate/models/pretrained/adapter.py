"""What the adapters of published models share: cells as tokens or as rows of expression, and the loop over them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch

from zsgate.models.pretrained.published import Published
from zsgate.models.transformer.runner import Batch, Runner, windows
from zsgate.models.transformer.tokens import Tokens
from zsgate.system import arrays

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

Tokenise = Callable[[int, int], Tokens]
Read = Callable[[int, int], sp.csr_matrix]
ROWS = 1024  # cells that a dense model embeds at a time


@dataclass(frozen=True, kw_only=True)
class Pretrained(Published):
    """The adapter of a published transformer over tokens.

    Attributes
    ----------
    budget
        Tokens a batch; None is a cell a batch on a CPU, and what suits a GPU there.
    """

    budget: int | None = None

    @property
    @abstractmethod
    def network(self) -> object:
        """The network on its device."""

    @abstractmethod
    def _tokeniser(self, dataset: Dataset) -> Tokenise:
        """Return what makes the tokens of the cells start to stop; refuse what cannot be read."""

    @abstractmethod
    def _cells(self, batch: Batch) -> tuple[torch.Tensor]:
        """Return the embedding of a batch, float32 (n_cells, d)."""

    def check(self, dataset: Dataset) -> None:
        """Raise UsageProblem if ``embed`` would refuse ``dataset``; runs nothing of the network."""
        self._tokeniser(dataset)

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return the cell embeddings, float32 (n_cells, d), in the dataset's order.

        Raises
        ------
        UsageProblem
            If fewer than half of the genes and of the counts are known, or a cell has no known gene.
        """
        from zsgate.system.progress import steps

        tokenise, run = self._tokeniser(dataset), self._runner()
        rows = arrays.empty((dataset.n_cells, self.dimensions))
        with steps(f"{self.checkpoint.name}: embedding", dataset.n_cells, "cell") as advance:
            for start, stop in windows(dataset.n_cells):
                for cells, (output,) in run(tokenise(start, stop), self._cells):
                    rows[start + cells] = output
                    advance(len(cells))
        return rows

    def _runner(self) -> Runner:
        """Return what runs the network, which is built here once and not by each thread."""
        _ = self.network
        side_by_side = None if self.budget is None else False
        return Runner(self.device, self.budget, side_by_side=side_by_side)


@dataclass(frozen=True, kw_only=True)
class Dense(Published):
    """The adapter of a published model that reads a cell's expression at once, without tokens."""

    @abstractmethod
    def _reader(self, dataset: Dataset) -> Read:
        """Return what makes the sparse rows of the cells start to stop; refuse what cannot be read."""

    @abstractmethod
    def _rows(self, values: sp.csr_matrix) -> npt.NDArray[np.float32]:
        """Return the embedding of cells, float32 (n_cells, d), a row of which depends on its cell alone."""

    def check(self, dataset: Dataset) -> None:
        """Raise UsageProblem if ``embed`` would refuse ``dataset``; runs nothing of the network."""
        self._reader(dataset)

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return the cell embeddings, float32 (n_cells, d), in the dataset's order.

        Raises
        ------
        UsageProblem
            If the dataset has too few known genes, or a cell has no count in one.
        """
        from zsgate.system.progress import steps

        read = self._reader(dataset)
        rows = arrays.empty((dataset.n_cells, self.dimensions))
        with steps(f"{self.checkpoint.name}: embedding", dataset.n_cells, "cell") as advance:
            for start, stop in windows(dataset.n_cells, ROWS):
                rows[start:stop] = self._rows(read(start, stop))
                advance(stop - start)
        return rows


def sparse_product(values: sp.csr_matrix, table: torch.Tensor) -> torch.Tensor:
    """Return ``values @ table``, (n_cells, d), of sparse rows (n_cells, n_genes) and a table (n_genes, d).

    A row's products are added in the order of its genes, whatever other rows there are.
    """
    there = [torch.from_numpy(each).to(table.device) for each in (values.indices, values.indptr, values.data)]
    places, ends, weights = there[0].long(), there[1].long(), there[2]
    bag = torch.nn.functional.embedding_bag
    return bag(places, table, ends[:-1], mode="sum", per_sample_weights=weights)
