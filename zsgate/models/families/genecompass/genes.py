"""GeneCompass's genes: token, median and name of each human one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem
from zsgate.models.families.geneformer.dictionaries import read_dictionary
from zsgate.models.transformer.ranking import TOKEN_BITS

HUMAN = "ENSG"  # how human Ensembl ids begin; the vocabulary has the mouse's, too
PAD, MASK = "<pad>", "<mask>"


@dataclass(frozen=True)
class GeneCompassGenes:
    """What GeneCompass knows of human genes.

    Attributes
    ----------
    tokens
        ``{Ensembl id: token}``, human genes only.
    medians
        ``{Ensembl id: non-zero median of its counts in the pretraining corpus}``.
    names
        ``{gene symbol: Ensembl id}``.
    n_tokens
        Size of the whole vocabulary.
    """

    tokens: Mapping[str, int]
    medians: Mapping[str, float]
    names: Mapping[str, str]
    n_tokens: int

    @cached_property
    def median_of_token(self) -> npt.NDArray[np.float64]:
        """Median of each token's gene, float64 (n_tokens,); 1 for a gene without one, as upstream has it."""
        medians = np.ones(self.n_tokens)
        for gene, token in self.tokens.items():
            medians[token] = self.medians.get(gene, 1.0)
        return medians

    def columns(self, ensembl: npt.NDArray[np.str_] | None, symbols: npt.NDArray[np.str_]) -> npt.NDArray[np.int32]:
        """Return the token of each gene, by Ensembl id, or by symbol where there are no ids; -1: none."""
        if ensembl is None:
            genes = [self.names.get(symbol, "") for symbol in symbols.tolist()]
        else:
            genes = [gene.upper().split(".")[0] for gene in ensembl.tolist()]
        return np.array([self.tokens.get(gene, -1) for gene in genes], dtype=np.int32)


def read_genes(tokens: Path, medians: Path, names: Path) -> GeneCompassGenes:
    """Return the human genes of three pickled dictionaries, in which no code is run.

    Parameters
    ----------
    tokens
        ``{Ensembl id or special token: token}`` of both species.
    medians
        ``{Ensembl id: median}``; a gene that it lacks is divided by 1, as upstream does.
    names
        ``{Ensembl id: symbol}``; of ids with the same symbol the first that has a token is meant.

    Raises
    ------
    UsageProblem
        If a file is damaged, would run code, or does not hold what it should.
    """
    token_of = read_dictionary(tokens, (int,))
    if sorted(token_of.values()) != list(range(len(token_of))) or token_of.get(PAD) != 0 or MASK not in token_of:
        msg = f"{tokens} does not number its tokens 0, 1, 2, ..., {PAD} first and {MASK} among them"
        raise UsageProblem(msg)
    if len(token_of) > 1 << TOKEN_BITS:
        msg = f"{tokens} has {len(token_of):,} tokens, more than {1 << TOKEN_BITS:,}"
        raise UsageProblem(msg)
    human = {gene: token for gene, token in token_of.items() if gene.startswith(HUMAN)}
    median_of = read_dictionary(medians, (int, float))
    known = human.keys() & median_of.keys()
    strange = sorted(gene for gene in known if not 0 < median_of[gene] < np.inf)
    if strange or 2 * len(known) < len(human):
        what = f"{strange[0]} has {median_of[strange[0]]}" if strange else f"{len(known):,} of {len(human):,} have one"
        msg = f"{medians} does not hold positive medians of the human genes in {tokens.name}: {what}"
        raise UsageProblem(msg)
    ids: dict[str, str] = {}
    for gene, symbol in read_dictionary(names, (str,)).items():
        if gene in human:
            ids.setdefault(symbol, gene)
    return GeneCompassGenes(human, median_of, ids, len(token_of))
