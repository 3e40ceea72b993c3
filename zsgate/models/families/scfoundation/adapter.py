"""scFoundation as an adapter: embeddings as upstream's ``get_embedding.py`` makes them of single cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import torch

from zsgate.data.counts import blocks
from zsgate.errors import UsageProblem
from zsgate.models.families.scfoundation.network import (
    POOLINGS,
    ScFoundationNetwork,
    ScFoundationShape,
    random_state,
)
from zsgate.models.families.scfoundation.tokens import ScFoundationTokenizer
from zsgate.models.pretrained.adapter import Pretrained, Tokenise
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.models.pretrained.published import check_choice
from zsgate.models.transformer.runner import Batch
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

PRESETS = ("official",)


@dataclass(frozen=True, kw_only=True)
class ScFoundation(Pretrained):
    """The adapter of an scFoundation encoder; its module ``load`` makes it.

    Attributes
    ----------
    shape
        The checkpoint's settings.
    genes
        Its list of genes.
    pooling
        ``"all"``: the two totals' outputs, and the largest and the mean of the genes'; ``"max"``: the largest of all.
    """

    loader: ClassVar[str] = "zsgate.models.families.scfoundation.load"
    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "symbol"

    shape: ScFoundationShape
    genes: GeneOrder
    pooling: str = "all"

    def __post_init__(self) -> None:
        check_choice(f"{self.checkpoint.name}: preset", self.preset, PRESETS)
        check_choice(f"{self.checkpoint.name}: pooling", self.pooling, tuple(POOLINGS))

    @property
    def dimensions(self) -> int:
        """Width of the embedding."""
        return POOLINGS[self.pooling] * self.shape.hidden_dim

    @property
    def settings(self) -> tuple[object, ...]:
        """What else fixes the embedding."""
        return (self.pooling,)

    def _notes(self) -> Iterator[str]:
        yield from super()._notes()
        yield f"pooling {self.pooling}; the decoder is not run: no genes are predicted"

    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` is among the model's genes."""
        return self.genes.coverage(dataset, model=self.checkpoint.name, gene_ids="symbol")

    def random_init(self, seed: int) -> Self:
        """Return the same architecture with the same tokens, drawn as upstream's module draws it."""
        return self._untrained(seed, "independent")

    @cached_property
    def network(self) -> ScFoundationNetwork:
        """The network on its device."""
        state = self.state
        if state is None:
            assert self.twin is not None
            state = random_state(self.shape, self.twin[0])
        return ScFoundationNetwork.of(state, self.shape).to(self.device, self.dtype)

    def _tokeniser(self, dataset: Dataset) -> Tokenise:
        columns = self.genes.columns(dataset.symbols)
        check_coverage(self.coverage(dataset), dataset, columns)
        mapped = (columns >= 0).astype(np.float32)
        known = np.concatenate([counts @ mapped for _, counts in blocks(dataset.counts)])
        if (known <= 1).any():  # upstream reads tokens above 0 only, and log10 of a single count is 0
            names = dataset.cell_ids[known <= 1].tolist()
            msg = (
                f"{self.checkpoint.name} on {dataset.name!r}: {len(names)} cell(s) with a single count in known genes "
                f"cannot be embedded: {', '.join(names[:10])}; filter them out"
            )
            raise UsageProblem(msg)
        tokenizer = ScFoundationTokenizer(self.genes)

        def tokenise(start: int, stop: int) -> Tokens:
            return tokenizer(dataset.counts[start:stop], columns)

        return tokenise

    def _cells(self, batch: Batch) -> tuple[torch.Tensor]:
        assert batch.values is not None
        return (self.network.cells(batch.ids, batch.values, batch.runs, self.pooling).float(),)
