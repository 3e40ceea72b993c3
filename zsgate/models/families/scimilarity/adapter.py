"""SCimilarity as an adapter: embeddings as upstream's ``align_dataset``, ``lognorm_counts`` and encoder make them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch

from zsgate.errors import UsageProblem
from zsgate.models.families.scimilarity.network import SCimilarityNetwork, SCimilarityShape, random_state
from zsgate.models.pretrained.adapter import Dense, Read
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage
from zsgate.models.pretrained.gene_order import GeneOrder, log_normalise
from zsgate.models.pretrained.published import check_choice

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

PRESETS = ("official",)
LEAST_COMMON = 5000  # genes, as upstream's align_dataset asks for


@dataclass(frozen=True, kw_only=True)
class SCimilarity(Dense):
    """The adapter of an SCimilarity encoder; its module ``load`` makes it.

    The counts of a cell are brought into the order of the model's genes, scaled to 10,000 over these, logged and
    encoded; rows have length 1.

    Attributes
    ----------
    shape
        The checkpoint's ``layer_sizes.json``.
    genes
        Its ``gene_order.tsv``.
    """

    loader: ClassVar[str] = "zsgate.models.families.scimilarity.load"
    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "symbol"

    shape: SCimilarityShape
    genes: GeneOrder

    def __post_init__(self) -> None:
        check_choice(f"{self.checkpoint.name}: preset", self.preset, PRESETS)

    @property
    def dimensions(self) -> int:
        """Width of the embedding."""
        return self.shape.latent

    @property
    def settings(self) -> tuple[object, ...]:
        """What else fixes the embedding: nothing."""
        return ()

    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` is among the model's genes."""
        return self.genes.coverage(dataset, model=self.checkpoint.name, gene_ids="symbol")

    def random_init(self, seed: int) -> Self:
        """Return the same architecture with the same input, drawn as upstream's module draws it."""
        return self._untrained(seed, "independent")

    @cached_property
    def network(self) -> SCimilarityNetwork:
        """The network on its device."""
        state = self.state
        if state is None:
            assert self.twin is not None
            state = random_state(self.shape, self.twin[0])
        return SCimilarityNetwork.of(state, self.shape).to(self.device)

    def _reader(self, dataset: Dataset) -> Read:
        columns = self.genes.columns(dataset.symbols)
        check_coverage(self.coverage(dataset), dataset, columns)
        n_common = len(np.unique(columns[columns >= 0]))
        if n_common < LEAST_COMMON:
            msg = (
                f"{self.checkpoint.name} on {dataset.name!r}: {n_common:,} genes are in common, and the model reads "
                f"data with {LEAST_COMMON:,} of its {len(self.genes):,} or more"
            )
            raise UsageProblem(msg)

        def read(start: int, stop: int) -> sp.csr_matrix:
            return log_normalise(self.genes.align(dataset.counts[start:stop], columns))

        return read

    def _rows(self, values: sp.csr_matrix) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return self.network.cells(values).cpu().numpy()
