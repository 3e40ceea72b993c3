"""GeneOrder: the genes that a network reads in places of their own, and counts brought into that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.preprocess import logged
from zsgate.errors import UsageProblem, sentence
from zsgate.models.pretrained.coverage import GeneCoverage, measure_coverage

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

MOST_BYTES = 1 << 26  # of a file of names; published ones have 0.2 MB
Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class GeneOrder:
    """Genes by the place that a network has for each.

    Attributes
    ----------
    names
        Distinct gene symbols or Ensembl ids.
    """

    names: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, *, header: str = "") -> Self:
        """Return the names in the first column of a file of lines, tab-separated.

        Parameters
        ----------
        path
            The file.
        header
            First name of the line above the genes; empty where there is none.

        Raises
        ------
        UsageProblem
            If it is no text, has another header, or names a gene twice or not at all.
        """
        try:
            if path.stat().st_size > MOST_BYTES:
                msg = f"it has {path.stat().st_size:,} bytes"
                raise ValueError(msg)
            names = [line.split("\t")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            msg = f"{path} is not a list of genes: {sentence(str(error))}"
            raise UsageProblem(msg) from error
        if header and names[:1] != [header]:
            msg = f"{path} is not a list of genes: its first line does not begin with {header}"
            raise UsageProblem(msg)
        return cls.of(names[1:] if header else names, path)

    @classmethod
    def of(cls, names: Sequence[str], path: Path) -> Self:
        """Return the order of ``names``; UsageProblem says what is wrong with those in the file ``path``."""
        seen = set(names)
        if not names or "" in seen or len(seen) < len(names):
            what = "names no gene" if not names else "has a line without a gene" if "" in seen else "names a gene twice"
            msg = f"{path} is not a list of genes: it {what}"
            raise UsageProblem(msg)
        return cls(tuple(names))

    def __len__(self) -> int:
        """Return how many genes there are."""
        return len(self.names)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def columns(self, names: npt.NDArray[np.str_]) -> Ids:
        """Return the place of each of ``names``, exact and case-sensitive, int32; -1 where there is none."""
        return np.array([self._places.get(name, -1) for name in names.tolist()], dtype=np.int32)

    def coverage(self, dataset: Dataset, *, model: str, gene_ids: Literal["symbol", "ensembl"]) -> GeneCoverage:
        """Return how much of ``dataset`` is among the genes, asked by its symbols."""
        columns = self.columns(dataset.symbols)
        return measure_coverage(dataset, columns, model=model, gene_ids=gene_ids, n_vocabulary=len(self))

    def align(self, counts: sp.csr_matrix, columns: Ids) -> sp.csr_matrix:
        """Return counts in this order, float32 CSR (n_cells, n_genes here); columns of the same gene are summed.

        Parameters
        ----------
        counts
            Shape (n_cells, n_genes of the dataset).
        columns
            Place of each of the dataset's genes; those with -1 are left out.
        """
        places = columns[counts.indices]
        kept = places >= 0
        ends = np.concatenate([[0], np.cumsum(kept)])[counts.indptr]
        entries = (counts.data[kept].astype(np.float32), places[kept], ends.astype(np.int32))
        aligned = sp.csr_matrix(entries, shape=(counts.shape[0], len(self)))
        aligned.sum_duplicates()
        return aligned


def log_normalise(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return log(1 + counts scaled to 10,000 a cell), as scanpy's normalize_total and log1p; ``counts`` are lost."""
    ((_, values),) = logged([(slice(None), counts)])
    return values
