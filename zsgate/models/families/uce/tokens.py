"""UCE's input: a sentence of genes sampled by expression, chromosome after chromosome.

Rosen et al. 2023, doi:10.1101/2023.11.28.568918, and the authors' ``sample_cell_sentences``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch

from zsgate.errors import UsageProblem
from zsgate.models.families.uce.genes import Genome, Ids
from zsgate.models.transformer import kernels
from zsgate.models.transformer.tokens import Tokens, tokenise_in_chunks

if TYPE_CHECKING:
    import scipy.sparse as sp

N_SAMPLED = 1024  # genes a sentence has, some of them several times
LONGEST = 1536  # tokens that the model has places for
END, CLS = 2, 3  # behind each chromosome; in front of all

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]


class Draws(Protocol):
    """Where the chance in UCE's sentences comes from."""

    @property
    def one_after_the_other(self) -> bool:
        """Whether a cell's draws depend on the cells before."""
        ...

    def __call__(self, ids: Ids, counts: Floats, chromosomes: Ids) -> tuple[Places, Ids]:
        """Return (places of the sampled genes among ``ids``, the sampled chromosomes in their order in the sentence).

        Parameters
        ----------
        ids, counts, chromosomes
            Token, count and token of the chromosome of every expressed gene of one cell, arrays of one length.
        """
        ...


@dataclass(frozen=True)
class KeyedDraws:
    """Draws fixed by the seed and by the (gene, count) pairs of the cell alone, in any order, batch or process."""

    seed: int
    one_after_the_other: bool = False

    def __call__(self, ids: Ids, counts: Floats, chromosomes: Ids) -> tuple[Places, Ids]:
        """Return (places of the sampled genes, the sampled chromosomes in their order)."""
        words = kernels.hash_entries(np.array([0, len(ids)]), ids, counts, self.seed)
        uniform = np.random.Generator(np.random.Philox(key=int(words.sum(dtype=np.uint64)))).random
        order = np.lexsort((counts, ids))  # that of the dataset's columns must not matter
        cumulated = np.log1p(counts[order].astype(np.float64)).cumsum()
        sampled = order[np.searchsorted(cumulated / cumulated[-1], uniform(N_SAMPLED), side="right")]
        distinct = np.unique(chromosomes[sampled])
        return sampled, distinct[np.argsort(uniform(len(distinct)), kind="stable")]


@dataclass(frozen=True)
class OfficialDraws:
    """Upstream's draws, cell after cell: with NumPy's generator in upstream's state the sentences are upstream's."""

    generator: np.random.RandomState
    one_after_the_other: bool = True

    @classmethod
    def seeded(cls, seed: int) -> OfficialDraws:
        """Return the draws after ``numpy.random.seed(seed)``."""
        return cls(np.random.RandomState(seed))

    def __call__(self, ids: Ids, counts: Floats, chromosomes: Ids) -> tuple[Places, Ids]:
        """Return (places of the sampled genes, the sampled chromosomes in their order)."""
        weights = torch.log1p(torch.from_numpy(counts))
        shares = (weights / weights.sum()).numpy()
        shares = shares / np.add.accumulate(shares)[-1]  # upstream's second sum adds one after the other
        sampled = self.generator.choice(len(ids), size=N_SAMPLED, p=shares, replace=True)
        distinct = np.unique(chromosomes[sampled])
        self.generator.shuffle(distinct)
        return sampled, distinct


def write_sentences(counts: sp.csr_matrix, genome: Genome, draws: Draws, n_threads: int = 1) -> Tokens:
    """Return the sentence of each cell: the class token, then each sampled chromosome's genes by start, in brackets.

    Parameters
    ----------
    counts
        Cells with at least one gene that has a token, (n_cells, n_genes).
    genome
        What is known of the genes.
    draws
        The chance in it, drawn in the order of the cells.
    n_threads
        Threads that write.

    Raises
    ------
    UsageProblem
        If a cell's genes are on more chromosomes than a sentence has room for.
    """

    def write(start: int, stop: int) -> Tokens:
        indptr = counts.indptr[start : stop + 1].astype(np.int64)
        offsets, ids, columns, values = kernels.select(indptr, counts.indices, counts.data, genome.tokens)
        cells = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        sentences = [_write(ids[a:b], columns[a:b], values[a:b], genome, draws) for a, b in cells]
        lengths = [len(sentence) for sentence, _ in sentences]
        ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return Tokens(ends, *(np.concatenate(parts) for parts in zip(*sentences, strict=True)))

    return tokenise_in_chunks(write, counts.shape[0], 1 if draws.one_after_the_other else n_threads)


def _write(ids: Ids, columns: Ids, counts: Floats, genome: Genome, draws: Draws) -> tuple[Ids, Ids]:
    """Return tokens and columns of one cell's sentence."""
    chromosomes = genome.chromosomes[columns]
    sampled, ordered = draws(ids, counts, chromosomes)
    length = 1 + N_SAMPLED + 2 * len(ordered)
    if length > LONGEST:
        msg = f"uce: a cell's genes lie on {len(ordered)} chromosomes, and a sentence has room for {LONGEST} tokens"
        raise UsageProblem(msg)
    rank = np.empty(int(ordered.max()) + 1, np.int64)
    rank[ordered] = np.arange(len(ordered))
    of_gene = rank[chromosomes[sampled]]
    order = np.lexsort((ids[sampled], genome.starts[columns[sampled]], of_gene))
    chosen, of_gene = sampled[order], of_gene[order]
    place = 1 + np.arange(N_SAMPLED) + 2 * of_gene + 1  # behind the class token and a token in front of each chromosome
    sentence, of_column = np.full(length, END, np.int32), np.full(length, -1, np.int32)
    sentence[0] = CLS
    sentence[place], of_column[place] = ids[chosen], columns[chosen]
    first = np.searchsorted(of_gene, np.arange(len(ordered)))
    sentence[place[first] - 1] = ordered
    return sentence, of_column
