"""scGPT as an adapter: embeddings as the authors' ``embed_data`` makes them, and both bin-predicting heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.models.families.scgpt.network import ScGPTNetwork, ScGPTShape
from zsgate.models.families.scgpt.presets import PRESETS, Preset
from zsgate.models.families.scgpt.tokens import MASK_VALUE, SPECIAL, KeyedDraws, OfficialDraws, ScGPTTokenizer
from zsgate.models.families.scgpt.untrained import INITS, random_state
from zsgate.models.pretrained.adapter import Pretrained, Tokenise
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage, measure_coverage
from zsgate.models.pretrained.predictions import hide_genes, reconstruct_bins
from zsgate.models.pretrained.published import check_choice
from zsgate.models.reconstruction import Reconstruction, Scale
from zsgate.models.transformer.runner import Batch, windows
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

RANDOMNESS = ("keyed", "official")
WINDOW = 512  # cells whose predictions are held at a time


@dataclass(frozen=True, kw_only=True)
class ScGPTEncoder(Pretrained):
    """The adapter of an scGPT checkpoint that has no head; made by :func:`zsgate.models.families.scgpt.load.load`.

    Attributes
    ----------
    shape, vocabulary
        The checkpoint's ``args.json`` and ``vocab.json``.
    randomness
        ``"keyed"``: a cell's tokens depend on the cell and ``seed`` only. ``"official"``: upstream's generators,
        whose draws depend on the cells before.
    seed
        Seed of the tokens' draws.
    draws
        How often a gate embeds, with the seeds from ``seed`` on: scores are means, and the spread joins the interval.
    heads
        The bin-predicting heads that the checkpoint has, of ``gep`` and ``gepc``.
    """

    loader: ClassVar[str] = "zsgate.models.families.scgpt.load"
    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "symbol"
    shape: ScGPTShape
    vocabulary: dict[str, int]
    randomness: str = "keyed"
    seed: int = 0
    draws: int = 1
    heads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if type(self.draws) is not int or self.draws < 1:
            msg = f"{self.checkpoint.name}: draws must be a whole number from 1 on, not {self.draws!r}"
            raise UsageProblem(msg)
        check_choice(f"{self.checkpoint.name}: preset", self.preset, tuple(PRESETS))
        check_choice(f"{self.checkpoint.name}: randomness", self.randomness, RANDOMNESS)

    @property
    def dimensions(self) -> int:
        """Width of the embedding."""
        return self.shape.embsize

    @property
    def settings(self) -> tuple[object, ...]:
        """What else fixes the embedding."""
        return self.randomness, self.seed

    @property
    def preset_modules(self) -> tuple[str, ...]:
        """Modules that only this preset uses."""
        return self._preset.modules

    @property
    def info(self) -> ModelInfo:
        """The model's card."""
        card, seeds = super().info, f"from seed {self.seed} on" if self.draws > 1 else f"seed {self.seed}"
        return replace(
            card,
            stochastic=True,
            independent_cells=self.preset == "official" and self.randomness == "keyed",
            notes=(*card.notes, f"{self.draws} {self.randomness} draw(s), {seeds}"),
        )

    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` is in the vocabulary."""
        return measure_coverage(
            dataset,
            self._reader.columns(dataset.symbols),
            model=self.checkpoint.name,
            gene_ids="symbol",
            n_vocabulary=sum(name not in SPECIAL for name in self.vocabulary),
        )

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return the class token's output, L2-normalised, float32 (n_cells, d), in the dataset's order.

        Raises
        ------
        UsageProblem
            If fewer than half of the genes and of the counts are known, or a cell has no known gene.
        """
        rows = super().embed(dataset)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def random_init(self, seed: int, init: str | None = None) -> Self:
        """Return the same architecture with the same tokens, untrained.

        Parameters
        ----------
        seed
            Seed of the weights.
        init
            ``"independent"`` draws every layer; ``"identical"`` copies the first, as upstream's module and so the
            paper's twin do; None takes the preset's.
        """
        init = init or self._preset.init
        check_choice(f"{self.checkpoint.name}: init", init, INITS)
        return self._untrained(seed, init)

    def with_seed(self, seed: int) -> Self:
        """Return the same model with other draws of its tokens: what the sampling costs."""
        return replace(self, seed=seed, draws=1)

    def repeats(self) -> tuple[Self, ...]:
        """Return what a gate embeds with: the same model once for each of its draws."""
        return (self, *(self.with_seed(self.seed + draw) for draw in range(1, self.draws)))

    @cached_property
    def network(self) -> ScGPTNetwork:
        """The network on its device."""
        state = self.state
        if state is None:
            assert self.twin is not None
            state = random_state(self.shape, len(self.vocabulary), *self.twin)
        return ScGPTNetwork.of(state, self.shape, self.heads).to(self.device, self.dtype)

    @property
    def _preset(self) -> Preset:
        return PRESETS[self.preset]

    @property
    def _reader(self) -> ScGPTTokenizer:
        return ScGPTTokenizer(self.vocabulary, self.shape.max_seq_len, self._preset.cls_value)

    def _tokeniser(self, dataset: Dataset) -> Tokenise:
        columns, coverage = self._reader.columns(dataset.symbols), self.coverage(dataset)
        if coverage.sufficient:
            columns = np.where(self._preset.choose_genes(dataset, columns >= 0), columns, np.int32(-1))
        check_coverage(coverage, dataset, columns)
        keyed = self.randomness == "keyed"
        draws = KeyedDraws(self.seed) if keyed else OfficialDraws.seeded(self.seed)

        def tokenise(start: int, stop: int) -> Tokens:
            return self._reader(dataset.counts[start:stop], columns, draws, torch.get_num_threads())

        return tokenise

    def _cells(self, batch: Batch) -> tuple[torch.Tensor]:
        assert batch.bins is not None
        return (self.network.cells(batch.ids, batch.bins, batch.runs).float(),)


@dataclass(frozen=True, kw_only=True)
class ScGPT(ScGPTEncoder):
    """The adapter of an scGPT checkpoint with a head at least that predicts bins."""

    scale: ClassVar[Scale] = "bin"

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield the bins both heads predict, a window of cells at a time.

        Parameters
        ----------
        dataset
            Cells.
        masked
            Share of each cell's genes whose value is hidden; 0 shows all, as the paper does.
        seed
            Seed of the choice of hidden genes, which depends on nothing else but the genes that a cell expresses.
        """
        tokenise, run = self._tokeniser(dataset), self._runner()
        for start, stop in windows(dataset.n_cells, WINDOW):
            tokens = tokenise(start, stop)
            assert tokens.bins is not None
            hide = hide_genes(tokens, dataset.counts[start:stop], masked, seed)
            shown = replace(tokens, bins=np.where(hide, np.int8(MASK_VALUE), tokens.bins))
            heads = {name: np.empty(len(tokens.ids), np.float32) for name in self.heads}
            for cells, outputs in run(shown, self._predictions):
                place = tokens.entries(cells)
                for head, output in zip(heads.values(), outputs, strict=True):
                    head[place] = output
            yield reconstruct_bins(np.arange(start, stop), tokens, hide, heads)

    def _predictions(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        assert batch.bins is not None
        return self.network.predictions(batch.ids, batch.bins, batch.runs)
