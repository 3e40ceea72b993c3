"""Geneformer as an adapter: embeddings as the authors' ``EmbExtractor`` makes them, and the masked-gene head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from zsgate.models.families.geneformer.dictionaries import MASK, GeneDictionary
from zsgate.models.families.geneformer.network import GeneformerNetwork, GeneformerShape, random_state
from zsgate.models.families.geneformer.tokens import GeneformerTokenizer
from zsgate.models.pretrained.adapter import Pretrained, Tokenise
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage, measure_coverage
from zsgate.models.pretrained.paper_input import PaperInput
from zsgate.models.pretrained.predictions import hide_genes, reconstruct_ranks
from zsgate.models.pretrained.published import check_choice
from zsgate.models.reconstruction import Reconstruction, Scale
from zsgate.models.transformer.runner import Batch, windows
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

PRESETS = ("official", "paper")
WINDOW = 512  # cells whose predictions are held at a time


@dataclass(frozen=True, kw_only=True)
class GeneformerEncoder(Pretrained):
    """The adapter of a Geneformer checkpoint that has no head; its module ``load`` makes it.

    The embedding is the second-to-last layer's output: of the class token (V2, preset ``"official"``), else the mean
    over the genes. With preset ``"paper"`` it is the mean in V2, too, and genes are ranked by what the file has in X
    beside its counts, as the paper's code does.

    Attributes
    ----------
    shape
        The checkpoint's ``config.json``.
    genes
        Its dictionaries.
    """

    loader: ClassVar[str] = "zsgate.models.families.geneformer.load"
    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "ensembl"

    shape: GeneformerShape
    genes: GeneDictionary

    def __post_init__(self) -> None:
        check_choice(f"{self.checkpoint.name}: preset", self.preset, PRESETS)

    @property
    def dimensions(self) -> int:
        """Width of the embedding."""
        return self.shape.hidden_size

    @property
    def settings(self) -> tuple[object, ...]:
        """What else fixes the embedding: nothing."""
        return ()

    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` is in the dictionary."""
        return measure_coverage(
            dataset,
            self.genes.columns(dataset.ensembl, dataset.symbols),
            model=self.checkpoint.name,
            gene_ids="symbol" if dataset.ensembl is None else "ensembl",
            n_vocabulary=sum(not name.startswith("<") for name in self.genes.tokens),
        )

    def random_init(self, seed: int) -> Self:
        """Return the same architecture with the same tokens, drawn as BERT is initialised."""
        return self._untrained(seed, "independent")

    @cached_property
    def network(self) -> GeneformerNetwork:
        """The network on its device."""
        state = self.state
        if state is None:
            assert self.twin is not None
            state = random_state(self.shape, self.twin[0])
        return GeneformerNetwork.of(state, self.shape).to(self.device, self.dtype)

    @property
    def _reader(self) -> GeneformerTokenizer:
        return GeneformerTokenizer(self.genes, self.shape.max_position_embeddings)

    def _tokeniser(self, dataset: Dataset) -> Tokenise:
        columns = self.genes.columns(dataset.ensembl, dataset.symbols)
        check_coverage(self.coverage(dataset), dataset, columns)
        papers = PaperInput.of(dataset) if self.preset == "paper" else None

        def tokenise(start: int, stop: int) -> Tokens:
            shown = dataset.counts[start:stop] if papers is None else papers.rows(start, stop)
            return self._reader(shown, columns, torch.get_num_threads())

        return tokenise

    def _cells(self, batch: Batch) -> tuple[torch.Tensor]:
        if self.genes.has_special and self.preset == "official":
            return (self.network.first_tokens(batch.ids, batch.runs).float(),)
        return (self.network.means(batch.ids, batch.runs, skip=int(self.genes.has_special)).float(),)


@dataclass(frozen=True, kw_only=True)
class Geneformer(GeneformerEncoder):
    """The adapter of a Geneformer checkpoint with its masked-gene head."""

    scale: ClassVar[Scale] = "rank"
    heads: ClassVar[tuple[str, ...]] = ()  # of values; this one is of ranks

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield what the masked-gene head says at each rank, a window of cells at a time.

        Parameters
        ----------
        dataset
            Cells.
        masked
            Share of each cell's genes that are hidden; 0 shows all, as the paper does.
        seed
            Seed of the choice of hidden genes, which depends on nothing else but the genes that a cell expresses.
        """
        tokenise, run = self._tokeniser(dataset), self._runner()
        for start, stop in windows(dataset.n_cells, WINDOW):
            tokens = tokenise(start, stop)
            hide = hide_genes(tokens, dataset.counts[start:stop], masked, seed)
            heads: dict[str, npt.NDArray[Any]] = {
                "token": np.empty(len(tokens.ids), np.int32),
                "log_probability": np.empty(len(tokens.ids), np.float32),
                "likelier": np.empty(len(tokens.ids), np.int32),
            }
            marked = replace(tokens, bins=hide.astype(np.int8))
            for cells, outputs in run(marked, self._predictions):
                place = tokens.entries(cells)
                for head, output in zip(heads.values(), outputs, strict=True):
                    head[place] = output
            yield reconstruct_ranks(np.arange(start, stop), tokens, hide, heads)

    def _predictions(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        assert batch.bins is not None
        shown = batch.ids.masked_fill(batch.bins.bool(), self.genes.tokens[MASK])
        return self.network.predictions(shown, batch.runs, batch.ids)
