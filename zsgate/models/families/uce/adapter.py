"""UCE as an adapter: embeddings as the authors' ``eval_single_anndata.py`` makes them, of a cell alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import torch

from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.models.families.uce.genes import UCEGenes
from zsgate.models.families.uce.network import UCENetwork, UCEShape, random_state
from zsgate.models.families.uce.tokens import KeyedDraws, OfficialDraws, write_sentences
from zsgate.models.pretrained.adapter import Pretrained, Tokenise
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage, measure_coverage
from zsgate.models.pretrained.published import check_choice
from zsgate.models.transformer.runner import Batch
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

PRESETS = ("official",)
RANDOMNESS = ("keyed", "official")
NOTES = (
    "a row is that of the cell alone: upstream's mask adds 1 to the scores of a batch's padding instead of hiding it, "
    "so its rows move with the longest sentence beside them",
    "no cell and no gene is filtered, where upstream by default drops genes in fewer than 10 cells and cells with "
    "fewer than 25 genes",
    "the head that says whether a gene is expressed was not tested: it predicts no amount",
)
TWIN = "the untrained twin reads the same proteins (ESM2), which UCE does not train"


@dataclass(frozen=True, kw_only=True)
class UCE(Pretrained):
    """The adapter of a UCE checkpoint; made by :func:`zsgate.models.families.uce.load.load`.

    Attributes
    ----------
    shape
        Sizes of the network.
    genes
        Tokens and places of the genes.
    proteins
        Embedding of each token, float32 (n_tokens, 5120).
    randomness
        ``"keyed"``: a cell's sentence depends on the cell and ``seed`` only. ``"official"``: upstream's generator,
        whose draws depend on the cells before.
    seed
        Seed of the sentences.
    draws
        How often a gate embeds, with the seeds from ``seed`` on: scores are means, and the spread joins the interval.
    """

    loader: ClassVar[str] = "zsgate.models.families.uce.load"
    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "symbol"

    shape: UCEShape
    genes: UCEGenes
    proteins: torch.Tensor
    randomness: str = "keyed"
    seed: int = 0
    draws: int = 1

    def __post_init__(self) -> None:
        if type(self.draws) is not int or self.draws < 1:
            msg = f"{self.checkpoint.name}: draws must be a whole number from 1 on, not {self.draws!r}"
            raise UsageProblem(msg)
        check_choice(f"{self.checkpoint.name}: preset", self.preset, PRESETS)
        check_choice(f"{self.checkpoint.name}: randomness", self.randomness, RANDOMNESS)

    @property
    def dimensions(self) -> int:
        """Width of the embedding."""
        return self.shape.d_out

    @property
    def settings(self) -> tuple[object, ...]:
        """What else fixes the embedding."""
        return self.randomness, self.seed

    @property
    def info(self) -> ModelInfo:
        """The model's card."""
        card, seeds = super().info, f"from seed {self.seed} on" if self.draws > 1 else f"seed {self.seed}"
        return replace(
            card,
            stochastic=True,
            independent_cells=self.randomness == "keyed",
            notes=(
                *card.notes,
                *NOTES,
                *((TWIN,) if self.twin else ()),
                f"{self.draws} {self.randomness} draw(s), {seeds}",
            ),
        )

    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` has proteins that the model knows."""
        return measure_coverage(
            dataset,
            self.genes.genome(dataset.symbols).tokens,
            model=self.checkpoint.name,
            gene_ids="symbol",
            n_vocabulary=self.genes.n_vocabulary,
        )

    def random_init(self, seed: int) -> Self:
        """Return the same architecture with the same sentences and proteins, untrained; every layer is drawn."""
        return self._untrained(seed, "independent")

    def with_seed(self, seed: int) -> Self:
        """Return the same model with other sentences: what the sampling costs."""
        return replace(self, seed=seed, draws=1)

    def repeats(self) -> tuple[Self, ...]:
        """Return what a gate embeds with: the same model once for each of its draws."""
        return (self, *(self.with_seed(self.seed + draw) for draw in range(1, self.draws)))

    @cached_property
    def network(self) -> UCENetwork:
        """The network on its device."""
        state = self.state
        if state is None:
            assert self.twin is not None
            state = random_state(self.shape, self.twin[0])
        return UCENetwork.of(state, self.proteins, self.shape).to(self.device, self.dtype)

    def _tokeniser(self, dataset: Dataset) -> Tokenise:
        genome = self.genes.genome(dataset.symbols)
        check_coverage(self.coverage(dataset), dataset, genome.tokens)
        keyed = self.randomness == "keyed"
        draws = KeyedDraws(self.seed) if keyed else OfficialDraws.seeded(self.seed)

        def tokenise(start: int, stop: int) -> Tokens:
            return write_sentences(dataset.counts[start:stop], genome, draws, torch.get_num_threads())

        return tokenise

    def _cells(self, batch: Batch) -> tuple[torch.Tensor]:
        return (self.network.cells(batch.ids, batch.runs),)
