"""UCE's genes: the token of each gene's protein, and where on which chromosome the gene lies."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem, sentence
from zsgate.models.families.geneformer.dictionaries import read_dictionary
from zsgate.models.pretrained.tensors import read_tensors

SPECIES = "human"
FIRST_CHROMOSOME = 143_574  # upstream's CHROM_TOKEN_OFFSET; tokens below it are special or proteins
COLUMNS = ("species", "gene_symbol", "chromosome", "start")

Ids = npt.NDArray[np.int32]


class Place(NamedTuple):
    """Where a gene lies: number of its chromosome among those of all species, and its start in base pairs."""

    chromosome: int
    start: int


@dataclass(frozen=True)
class Genome:
    """A dataset's genes as UCE reads them, arrays of one length.

    Attributes
    ----------
    tokens
        Token of each gene's protein, int32 (n_genes,); -1 without one.
    chromosomes
        Token of each gene's chromosome, int32 (n_genes,).
    starts
        Where each gene begins on it, int64 (n_genes,).
    """

    tokens: Ids
    chromosomes: Ids
    starts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class UCEGenes:
    """What UCE knows of the genes of one species.

    Attributes
    ----------
    tokens
        ``{upper-case symbol: token of its protein}``.
    places
        ``{upper-case symbol: place}``.
    first_chromosome
        Token of chromosome 0.
    """

    tokens: Mapping[str, int]
    places: Mapping[str, Place]
    first_chromosome: int = FIRST_CHROMOSOME

    @property
    def n_vocabulary(self) -> int:
        """Genes that have a protein and a place."""
        return len(self.tokens.keys() & self.places.keys())

    def genome(self, symbols: npt.NDArray[np.str_]) -> Genome:
        """Return what is known of each symbol, whatever its case; without a protein or a place nothing is."""
        names = [symbol.upper() for symbol in symbols.tolist()]
        known = [name in self.tokens and name in self.places for name in names]
        nowhere = Place(0, 0)
        places = [self.places[name] if there else nowhere for name, there in zip(names, known, strict=True)]
        return Genome(
            np.array([self.tokens[name] if there else -1 for name, there in zip(names, known, strict=True)], np.int32),
            np.array([self.first_chromosome + place.chromosome for place in places], np.int32),
            np.array([place.start for place in places], np.int64),
        )


def read_genes(proteins: Path, offsets: Path, places: Path) -> UCEGenes:
    """Return the genes of :data:`SPECIES`.

    Parameters
    ----------
    proteins
        ``{symbol: vector}`` as PyTorch saves it. The order of its names is that of the tokens; no vector is read.
    offsets
        Pickled ``{species: token of its first protein}``.
    places
        Table with a row a gene: species, gene_symbol, chromosome, start.

    Raises
    ------
    UsageProblem
        If a file is damaged, would run code, or holds something else.
    """
    first = read_dictionary(offsets, (int,)).get(SPECIES)
    names = list(dict.fromkeys(name.upper() for name in read_tensors(proteins, mapped=True)))
    if first is None or first < 0 or first + len(names) > FIRST_CHROMOSOME:
        msg = (
            f"{offsets} has no token for each of the {len(names):,} proteins in {proteins.name}: it says that those of "
            f"{SPECIES} begin at {first}, and chromosomes begin at {FIRST_CHROMOSOME:,}"
        )
        raise UsageProblem(msg)
    return UCEGenes({name: first + place for place, name in enumerate(names)}, read_places(places))


def read_places(path: Path) -> dict[str, Place]:
    """Return the place of each gene of :data:`SPECIES`; of a gene with several rows the first.

    Chromosomes are numbered over all species of the table, in the order of their names, as upstream does.

    Raises
    ------
    UsageProblem
        If a column is missing or a start is no number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [tuple(row[column] for column in COLUMNS) for row in csv.DictReader(file)]
        names = sorted({f"{species}_{chromosome}" for species, _, chromosome, _ in rows if chromosome})
        numbers = {name: number for number, name in enumerate(names)}
        found: dict[str, Place] = {}
        for species, symbol, chromosome, start in rows:
            if species == SPECIES and chromosome:
                found.setdefault(symbol, Place(numbers[f"{species}_{chromosome}"], int(float(start))))
    except (OSError, ValueError, KeyError, TypeError, csv.Error, OverflowError) as error:
        why = sentence(f"{type(error).__name__}: {error}")
        msg = f"{path} is not a table of genes with the columns {', '.join(COLUMNS)}: {why}"
        raise UsageProblem(msg) from error
    if not found:
        msg = f"{path} has no gene of {SPECIES}"
        raise UsageProblem(msg)
    return found
