"""scBERT as an adapter: what its encoder, without any fine-tuning, makes of a cell alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import torch

from zsgate.models.families.scbert.network import ScBERTNetwork, ScBERTShape, random_state
from zsgate.models.families.scbert.tokens import ScBERTTokenizer
from zsgate.models.pretrained.adapter import Pretrained, Tokenise
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.models.pretrained.published import check_choice
from zsgate.models.transformer.runner import Batch
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zsgate.data.dataset import Dataset

PRESETS = ("official",)
POOLINGS = ("mean", "last")
NOTES = (
    "a row is that of the cell alone: upstream's attention takes one maximum over a whole batch, so its rows move with "
    "the cells beside them",
    "no cell is filtered, where upstream's preprocess.py drops those with fewer than 200 genes",
    "the head that predicts classes of expression was not tested",
)


@dataclass(frozen=True, kw_only=True)
class ScBERT(Pretrained):
    """The adapter of an scBERT checkpoint; made by :func:`zsgate.models.families.scbert.load.load`.

    Attributes
    ----------
    shape
        Sizes of the network.
    genes
        The genes by place.
    places
        Embedding of each place, that of gene2vec, float32 (n_genes + 1, d).
    pooling
        ``"mean"``: over all places. ``"last"``: the place behind the genes. Upstream defines no row without
        fine-tuning.
    """

    loader: ClassVar[str] = "zsgate.models.families.scbert.load"
    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "symbol"

    shape: ScBERTShape
    genes: GeneOrder
    places: torch.Tensor
    pooling: str = "mean"

    def __post_init__(self) -> None:
        check_choice(f"{self.checkpoint.name}: preset", self.preset, PRESETS)
        check_choice(f"{self.checkpoint.name}: pooling", self.pooling, POOLINGS)

    @property
    def dimensions(self) -> int:
        """Width of the embedding."""
        return self.shape.dim

    @property
    def settings(self) -> tuple[object, ...]:
        """What else fixes the embedding."""
        return (self.pooling,)

    def _notes(self) -> Iterator[str]:
        yield from super()._notes()
        yield f"pooling {self.pooling}: upstream defines no embedding without fine-tuning, this is a choice"
        yield from NOTES
        if self.twin is not None:
            yield "the untrained twin reads the same places (gene2vec), which scBERT does not train"

    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` is among the model's genes."""
        return self.genes.coverage(dataset, model=self.checkpoint.name, gene_ids="symbol")

    def random_init(self, seed: int) -> Self:
        """Return the same architecture with the same tokens and places, untrained; every layer is drawn."""
        return self._untrained(seed, "independent")

    @cached_property
    def network(self) -> ScBERTNetwork:
        """The network on its device."""
        state = self.state
        if state is None:
            assert self.twin is not None
            state = random_state(self.shape, self.twin[0])
        return ScBERTNetwork.of(state, self.places, self.shape).to(self.device)

    def _tokeniser(self, dataset: Dataset) -> Tokenise:
        columns = self.genes.columns(dataset.symbols)
        check_coverage(self.coverage(dataset), dataset, columns)
        read = ScBERTTokenizer(self.genes)

        def tokenise(start: int, stop: int) -> Tokens:
            return read(dataset.counts[start:stop], columns)

        return tokenise

    def _cells(self, batch: Batch) -> tuple[torch.Tensor]:
        assert batch.bins is not None
        return (self.network.cells(batch.ids, batch.bins, batch.runs, self.pooling),)
