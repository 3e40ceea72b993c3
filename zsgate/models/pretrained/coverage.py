"""GeneCoverage: how much of a dataset a model's vocabulary can read."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from zsgate.data.counts import blocks
from zsgate.errors import UsageProblem

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

ENSEMBL = re.compile(r"ENS[A-Z]*G\d{6,}(\.\d+)?$", re.IGNORECASE)
LEAST = 0.5  # share of the genes, or of the counts, that a model must know
FEW = 0.8  # below this share of the counts the terminal says so
NAMED = 10  # unmapped genes that are named


@dataclass(frozen=True, kw_only=True)
class GeneCoverage:
    """Genes of a dataset that a model knows.

    Attributes
    ----------
    model, dataset
        Names of the two.
    gene_ids
        What the model was asked by.
    n_genes, n_mapped, n_vocabulary
        Genes of the dataset, those with a token, genes in the vocabulary.
    share_counts
        Mean over cells of the share of a cell's counts that mapped genes carry.
    share_counts_low
        5 % quantile of it.
    unmapped
        Up to 10 unmapped genes, most counts first.
    shared
        Genes of the dataset that share their token with another one.
    like_ensembl, versioned
        Genes whose name is an Ensembl id, and those of them with a version suffix.
    hint
        What is probably wrong; empty if nothing.
    """

    model: str
    dataset: str
    gene_ids: Literal["symbol", "ensembl"]
    n_genes: int
    n_mapped: int
    n_vocabulary: int
    share_counts: float
    share_counts_low: float
    unmapped: tuple[str, ...]
    shared: tuple[str, ...]
    like_ensembl: int
    versioned: int
    hint: str = ""

    @property
    def share_genes(self) -> float:
        """Share of the dataset's genes that are mapped."""
        return self.n_mapped / self.n_genes

    @property
    def sufficient(self) -> bool:
        """Whether at least half of the genes or half of the counts are mapped.

        A file that lists every annotated gene has most of them outside any vocabulary and few counts there.
        """
        return max(self.share_genes, self.share_counts) >= LEAST

    @property
    def remark(self) -> str:
        """A sentence for the terminal if the vocabulary lacks more than a fifth of the counts; else empty."""
        if self.share_counts >= FEW:
            return ""
        return (
            f"{self.model} knows {self.n_mapped:,} of {self.n_genes:,} genes of {self.dataset}, with "
            f"{self.share_counts:.0%} of a cell's counts; most counts without: {', '.join(self.unmapped[:5])}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what the report says, in builtins; of the genes that share a token their number."""
        return {**asdict(self), "unmapped": list(self.unmapped), "shared": len(self.shared)}


def measure_coverage(
    dataset: Dataset,
    tokens: npt.NDArray[np.int32],
    *,
    model: str,
    gene_ids: Literal["symbol", "ensembl"],
    n_vocabulary: int,
) -> GeneCoverage:
    """Return what of ``dataset`` the genes with a token (not -1) make up.

    Parameters
    ----------
    dataset
        Counts and names.
    tokens
        Token of each gene, int32 (n_genes,), -1 without.
    model, gene_ids, n_vocabulary
        For the record.
    """
    mapped = tokens >= 0
    names = dataset.ensembl if gene_ids == "ensembl" and dataset.ensembl is not None else dataset.symbols
    total, known, of_gene = np.zeros(dataset.n_cells), np.zeros(dataset.n_cells), np.zeros(len(tokens))
    for rows, counts in blocks(dataset.counts):  # a product of all counts would copy them
        total[rows] = np.asarray(counts.sum(axis=1)).ravel()
        known[rows] = counts @ mapped.astype(np.float64)
        of_gene += np.asarray(counts.sum(axis=0)).ravel()
    share = np.divide(known, total, out=np.zeros_like(total), where=total > 0)
    unmapped = np.flatnonzero(~mapped)
    most = unmapped[np.argsort(-of_gene[unmapped], kind="stable")][:NAMED]
    distinct, times = np.unique(tokens[mapped], return_counts=True)
    like_ensembl = [name for name in names.tolist() if ENSEMBL.match(name)]
    return GeneCoverage(
        model=model,
        dataset=dataset.name,
        gene_ids=gene_ids,
        n_genes=len(tokens),
        n_mapped=int(mapped.sum()),
        n_vocabulary=n_vocabulary,
        share_counts=float(share.mean()),
        share_counts_low=float(np.quantile(share, 0.05)),
        unmapped=tuple(names[most].tolist()),
        shared=tuple(names[np.isin(tokens, distinct[times > 1]) & mapped].tolist()),
        like_ensembl=len(like_ensembl),
        versioned=sum("." in name for name in like_ensembl),
        hint=_guess_fault(names, mapped, gene_ids),
    )


def check_coverage(coverage: GeneCoverage, dataset: Dataset, tokens: npt.NDArray[np.int32]) -> None:
    """Raise UsageProblem if the model cannot read the dataset, or some of its cells, naming what is wrong."""
    where = f"{coverage.model} on {coverage.dataset!r}"
    if not coverage.sufficient:
        msg = (
            f"{where}: only {coverage.n_mapped:,} of {coverage.n_genes:,} genes ({coverage.share_genes:.0%}), with "
            f"{coverage.share_counts:.0%} of the counts, are in the model's vocabulary (for example "
            f"{', '.join(coverage.unmapped[:5])} are not); {coverage.hint or 'is it the right organism?'}"
        )
        raise UsageProblem(msg)
    genes = dataset.counts.getnnz(axis=1)
    mapped = (tokens >= 0).astype(np.float32)
    known = np.concatenate([(counts != 0) @ mapped for _, counts in blocks(dataset.counts)])
    for what, cells in (("without a single count", genes == 0), ("with no count in a known gene", known == 0)):
        if cells.any():
            names = dataset.cell_ids[cells].tolist()
            shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
            msg = f"{where}: {len(names)} cell(s) {what} cannot be embedded: {shown}; filter them out"
            raise UsageProblem(msg)


def _guess_fault(names: npt.NDArray[np.str_], mapped: npt.NDArray[np.bool_], gene_ids: str) -> str:
    unmapped = names[~mapped][:1000].tolist()
    if mapped.mean() >= LEAST:
        return ""
    like_ensembl = sum(ENSEMBL.match(name) is not None for name in unmapped) / len(unmapped)
    capitalised = sum(name[:1].isupper() and name[1:].islower() for name in unmapped) / len(unmapped)
    if gene_ids == "symbol" and like_ensembl > 0.5:
        return "the model reads gene symbols and most unmapped names are Ensembl ids: give symbols"
    if gene_ids == "ensembl" and like_ensembl < 0.5:
        return "the model reads Ensembl ids and most unmapped names are not: give them in a column ensembl_id"
    if any(name.startswith("ENSMUSG") for name in unmapped) or capitalised > 0.5:
        return "the names look like mouse genes, the model knows human ones"
    return ""
