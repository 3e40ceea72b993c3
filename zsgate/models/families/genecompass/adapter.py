"""GeneCompass as an adapter: its class token's last output for human cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import torch

from zsgate.models.families.genecompass.genes import GeneCompassGenes
from zsgate.models.families.genecompass.network import GeneCompassNetwork, GeneCompassShape, random_state
from zsgate.models.families.genecompass.tokens import GeneCompassTokenizer
from zsgate.models.pretrained.adapter import Pretrained, Tokenise
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage, measure_coverage
from zsgate.models.pretrained.published import check_choice
from zsgate.models.transformer.runner import Batch
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zsgate.data.dataset import Dataset

PRESETS = ("official",)
NOTES = (
    "experimental: written without the authors' weights and dictionaries at hand",
    "the row is the class token's last output, which is this project's choice: upstream defines none without "
    "fine-tuning",
    "human cells only, though the model knows the mouse, too",
    "no cell and no gene is filtered, where upstream's preprocess.py drops cells by depth, mitochondrial share and "
    "number of genes",
    "the heads that predict genes and values were not tested",
)


@dataclass(frozen=True, kw_only=True)
class GeneCompass(Pretrained):
    """The adapter of a GeneCompass checkpoint; made by :func:`zsgate.models.families.genecompass.load.load`.

    Attributes
    ----------
    shape
        Sizes of the network.
    genes
        Tokens, medians and names of the genes.
    priors
        Tables of prior knowledge by the names of ``shape.priors()``, float32 (n_tokens, width).
    """

    loader: ClassVar[str] = "zsgate.models.families.genecompass.load"
    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "ensembl"

    shape: GeneCompassShape
    genes: GeneCompassGenes
    priors: dict[str, torch.Tensor]

    def __post_init__(self) -> None:
        check_choice(f"{self.checkpoint.name}: preset", self.preset, PRESETS)

    @property
    def dimensions(self) -> int:
        """Width of the embedding."""
        return self.shape.bert.hidden_size

    @property
    def settings(self) -> tuple[object, ...]:
        """What else fixes the embedding: nothing."""
        return ()

    def _notes(self) -> Iterator[str]:
        yield from super()._notes()
        yield from NOTES
        if self.twin is not None:
            yield "the untrained twin reads the same prior knowledge, which GeneCompass does not train"

    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` is among the human genes of the vocabulary."""
        return measure_coverage(
            dataset,
            self.genes.columns(dataset.ensembl, dataset.symbols),
            model=self.checkpoint.name,
            gene_ids="symbol" if dataset.ensembl is None else "ensembl",
            n_vocabulary=len(self.genes.tokens),
        )

    def random_init(self, seed: int) -> Self:
        """Return the same architecture with the same tokens and prior knowledge, untrained; every layer is drawn."""
        return self._untrained(seed, "independent")

    @cached_property
    def network(self) -> GeneCompassNetwork:
        """The network on its device."""
        state = self.state
        if state is None:
            assert self.twin is not None
            state = random_state(self.shape, self.twin[0])
        return GeneCompassNetwork.of(state, self.priors, self.shape).to(self.device, self.dtype)

    def _tokeniser(self, dataset: Dataset) -> Tokenise:
        columns = self.genes.columns(dataset.ensembl, dataset.symbols)
        check_coverage(self.coverage(dataset), dataset, columns)
        read = GeneCompassTokenizer(self.genes, self.shape.bert.max_position_embeddings)

        def tokenise(start: int, stop: int) -> Tokens:
            return read(dataset.counts[start:stop], columns, torch.get_num_threads())

        return tokenise

    def _cells(self, batch: Batch) -> tuple[torch.Tensor]:
        assert batch.values is not None
        return (self.network.cells(batch.ids, batch.values, batch.runs),)
