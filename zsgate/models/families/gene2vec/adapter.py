"""Gene2vec as an adapter: a cell as the mean of its genes' vectors, weighted by log-normalised expression.

Du et al. 2019 define vectors of genes and none of cells; the weighted mean is the simplest that can be made of them,
and what a network over the same vectors has to beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch

from zsgate.models.pretrained.adapter import Dense, Read, sparse_product
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage
from zsgate.models.pretrained.gene_order import GeneOrder, log_normalise
from zsgate.models.pretrained.published import check_choice

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

PRESETS = ("official",)
TABLE = "vectors"  # name of the only tensor, (n_genes, d)


@dataclass(frozen=True, kw_only=True)
class Gene2vec(Dense):
    """The adapter of vectors of genes; its module ``load`` makes it.

    Attributes
    ----------
    genes
        The genes that the vectors are of, row by row.
    size, spread
        Width of the vectors and their standard deviation, which untrained ones have too.
    """

    loader: ClassVar[str] = "zsgate.models.families.gene2vec.load"
    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "symbol"

    genes: GeneOrder
    size: int
    spread: float

    def __post_init__(self) -> None:
        check_choice(f"{self.checkpoint.name}: preset", self.preset, PRESETS)

    @property
    def dimensions(self) -> int:
        """Width of the embedding."""
        return self.size

    @property
    def settings(self) -> tuple[object, ...]:
        """What else fixes the embedding: nothing."""
        return ()

    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` has vectors."""
        return self.genes.coverage(dataset, model=self.checkpoint.name, gene_ids="symbol")

    def random_init(self, seed: int) -> Self:
        """Return the same means of vectors that are normally distributed, of the same number and spread."""
        return self._untrained(seed, "independent")

    @cached_property
    def vectors(self) -> torch.Tensor:
        """Vectors of the genes on their device, float32 (n_genes, d)."""
        if self.state is not None:
            return self.state[TABLE].to(self.device)
        assert self.twin is not None
        generator = torch.Generator().manual_seed(self.twin[0])
        return torch.empty(len(self.genes), self.size).normal_(0, self.spread, generator=generator).to(self.device)

    def _reader(self, dataset: Dataset) -> Read:
        columns = self.genes.columns(dataset.symbols)
        check_coverage(self.coverage(dataset), dataset, columns)

        def read(start: int, stop: int) -> sp.csr_matrix:
            return log_normalise(self.genes.align(dataset.counts[start:stop], columns))

        return read

    def _rows(self, values: sp.csr_matrix) -> npt.NDArray[np.float32]:
        totals = torch.from_numpy(np.asarray(values.sum(axis=1), dtype=np.float32)).to(self.device)  # (B, 1)
        with torch.inference_mode():
            return (sparse_product(values, self.vectors) / totals).cpu().numpy()
