"""CELLama's input: a cell as a sentence of its highest-expressed genes, as tokens of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zsgate.errors import UsageProblem
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

N_GENES = 30
MAX_TOKENS = 256


def write_sentences(dataset: Dataset, n_genes: int = N_GENES) -> list[str]:
    """Return a sentence for each cell: its ``n_genes`` highest-expressed genes, ties by gene symbol.

    Parameters
    ----------
    dataset
        Counts and symbols; only genes with a count are named.
    n_genes
        Number of genes named.

    Raises
    ------
    UsageProblem
        If the genes have Ensembl ids only, which no language model can read.
    """
    from zsgate.data.genes import are_ensembl

    if are_ensembl(dataset.symbols):
        msg = (
            f"cellama reads gene symbols and dataset {dataset.name!r} has Ensembl ids only; add var column feature_name"
        )
        raise UsageProblem(msg)
    alphabetical = np.argsort(np.argsort(dataset.symbols, kind="stable"), kind="stable")
    counts = dataset.counts
    lines = []
    for start, stop in zip(counts.indptr[:-1], counts.indptr[1:], strict=True):
        genes = counts.indices[start:stop]
        order = np.lexsort((alphabetical[genes], -counts.data[start:stop]))[:n_genes]
        lines.append(_write_sentence(dataset.symbols[genes[order]].tolist()))
    return lines


def _write_sentence(genes: Sequence[str]) -> str:
    if len(genes) < 2:
        return f"Top gene is {genes[0]}." if genes else "No gene is expressed."
    return f"Top genes are {', '.join(genes[:-1])}, and {genes[-1]}."


@dataclass(frozen=True)
class SentenceTokenizer:
    """Makes tokens of cells; it remembers them by the dataset's digest, so that twins need not make them again.

    Attributes
    ----------
    path
        ``tokenizer.json`` of the sentence transformer.
    """

    path: Path
    _made: dict[str, Tokens] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, dataset: Dataset) -> Tokens:
        """Return the tokens of each cell's sentence, at most 256; they stand for no single gene."""
        if dataset.digest not in self._made:
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(str(self.path))
            tokenizer.enable_truncation(MAX_TOKENS)
            tokenizer.no_padding()
            lines = [line.ids for line in tokenizer.encode_batch_fast(write_sentences(dataset))]
            offsets = np.cumsum([0, *(len(line) for line in lines)], dtype=np.int64)
            ids = np.concatenate(lines).astype(np.int32)
            self._made[dataset.digest] = Tokens(offsets, ids, columns=np.full(len(ids), -1, np.int32))
        return self._made[dataset.digest]
