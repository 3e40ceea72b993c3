"""Geneformer as an adapter: embeddings as the authors' ``EmbExtractor`` makes them, and the masked-gene head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from zsgate.models.geneformer.dictionaries import MASK, GeneDictionary, check_dictionary, kept_as_json
from zsgate.models.geneformer.network import KNOWN_EXTRAS, GeneformerNetwork, GeneformerShape, check_tied, random_state
from zsgate.models.geneformer.tokens import GeneformerTokenizer
from zsgate.models.pretrained import predictions as reconstructed
from zsgate.models.pretrained.adapter import Pretrained, Tokenise, cache_folder, one_of
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.coverage import GeneCoverage, check_coverage, gene_coverage
from zsgate.models.pretrained.paper_input import PaperInput
from zsgate.models.pretrained.weights import FoundFile, find_files, matched, read_tensors
from zsgate.models.reconstruction import Reconstruction, Scale
from zsgate.models.transformer.runner import Batch, chosen_device, chosen_dtype, windows
from zsgate.models.transformer.tokens import Tokens, masked_genes

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

PRESETS = ("official", "paper")
WINDOW = 512  # cells whose predictions are held at a time


@dataclass(frozen=True, kw_only=True)
class Geneformer(Pretrained):
    """The adapter of a Geneformer checkpoint; made by :func:`load`.

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

    gene_ids: ClassVar[Literal["symbol", "ensembl"]] = "ensembl"
    scale: ClassVar[Scale] = "rank"

    shape: GeneformerShape
    genes: GeneDictionary

    def __post_init__(self) -> None:
        one_of(f"{self.checkpoint.name}: preset", self.preset, PRESETS)

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
        return gene_coverage(
            dataset,
            self.genes.columns(dataset.ensembl, dataset.symbols),
            model=self.checkpoint.name,
            gene_ids="symbol" if dataset.ensembl is None else "ensembl",
            n_vocabulary=sum(not name.startswith("<") for name in self.genes.tokens),
        )

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield what the masked-gene head says at each rank, a window of cells at a time.

        Parameters
        ----------
        dataset
            Cells.
        masked
            Share of each cell's genes that are hidden; 0 shows all, as the paper does.
        seed
            Seed of the choice of hidden genes, which is keyed by cell.
        """
        tokenise, run = self._tokeniser(dataset), self._runner()
        for start, stop in windows(dataset.n_cells, WINDOW):
            tokens = tokenise(start, stop)
            hidden = masked_genes(tokens, masked, seed)
            heads: dict[str, npt.NDArray[Any]] = {
                "token": np.empty(len(tokens.ids), np.int32),
                "log_probability": np.empty(len(tokens.ids), np.float32),
                "likelier": np.empty(len(tokens.ids), np.int32),
            }
            truth = replace(tokens, bins=hidden.astype(np.int8))
            for cells, outputs in run(truth, self._predictions):
                place = tokens.entries(cells)
                for head, output in zip(heads.values(), outputs, strict=True):
                    head[place] = output
            yield reconstructed.ranks(np.arange(start, stop), tokens, hidden, heads)

    def random_init(self, seed: int) -> Self:
        """Return the same architecture with the same tokens, drawn as BERT is initialised."""
        return self._twin(seed, "independent")

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

    def _predictions(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        assert batch.bins is not None
        shown = batch.ids.masked_fill(batch.bins.bool(), self.genes.tokens[MASK])
        return self.network.predictions(shown, batch.runs, batch.ids)


def load(
    name: str = "geneformer_v1_10m",
    *,
    weights: Path | None = None,
    device: str = "auto",
    dtype: str | None = None,
    preset: str = "official",
    offline: bool = False,
    cache: Path | None = None,
) -> Geneformer:
    """Return the adapter of a published Geneformer checkpoint.

    Parameters
    ----------
    name
        A name in :data:`zsgate.models.pretrained.checkpoints.CHECKPOINTS`.
    weights
        Folder with the model, ``config.json`` and the four gene dictionaries; None takes the cache, filled from
        the official place.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    dtype
        ``"float32"``, ``"bfloat16"`` or ``"float16"``; None is bfloat16 on a GPU that has it, else float32.
    preset
        As :class:`Geneformer` has it.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered, not that of a Geneformer checkpoint, or of another version.
    """
    published, where, home = CHECKPOINTS[name], chosen_device(device), cache_folder(cache)
    files = find_files(published, weights, home, offline=offline)
    shape = GeneformerShape.read(files["config.json"].path)
    genes = _dictionary(files, home)
    check_dictionary(genes, shape.vocab_size)
    model = next(file.path for each, file in files.items() if each.endswith((".safetensors", ".bin")))
    tensors = read_tensors(model)
    state, left_out = matched(tensors, shape.tensors(), where=model, extras=KNOWN_EXTRAS)
    check_tied(tensors, where=model)
    return Geneformer(
        checkpoint=published,
        state=state,
        files=files,
        left_out=left_out,
        device=where,
        dtype=chosen_dtype(dtype, where),
        preset=preset,
        shape=shape,
        genes=genes,
    )


def _dictionary(files: dict[str, FoundFile], cache: Path) -> GeneDictionary:
    found = {
        kind: next(file.path for name, file in files.items() if name.startswith(kind))
        for kind in ("token_dictionary", "gene_median", "ensembl_mapping", "gene_name_id")
    }
    return GeneDictionary(*(kept_as_json(path, cache) for path in found.values()))
