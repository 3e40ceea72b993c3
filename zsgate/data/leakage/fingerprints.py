"""Fingerprints: which cells of a dataset are in the corpus that a model was pretrained on.

The corpus is held as a Bloom filter. A cell's genes are split into 32 parts by their names, and each part with at least
12 genes has a fingerprint: a 64-bit hash of its (gene, count) pairs in any order. A cell counts as found when 3 of its
parts are in the filter. So a copy is recognised although rare genes were filtered out, as :mod:`zsgate.data.read` does,
and cells with few detected genes are not taken for each other. Only exact copies of counts are found: a cell that was
counted anew, or whose genes have other names, is not.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.annotations import Strings
from zsgate.data.counts import blocks
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.system.files import replaced_whole
from zsgate.system.hashing import mix

PARTS, LEAST_GENES, NEEDED = 32, 12, 3
VERSION = 1
Hashes = npt.NDArray[np.uint64]


def fingerprints(counts: sp.csr_matrix, genes: Hashes) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Return (fingerprint of each part of each cell, whether the part has enough genes), both (n_cells, 32).

    Parameters
    ----------
    counts
        Canonical CSR of counts.
    genes
        Hash of each column's gene, as of :func:`hashed`.
    """
    pairs = mix(genes[counts.indices] + mix(counts.data.astype(np.uint64)))
    part_of = (genes % np.uint64(PARTS)).astype(np.int64)[counts.indices]
    marks = np.empty((counts.shape[0], PARTS), dtype=np.uint64)
    known = np.empty(marks.shape, dtype=bool)
    for part in range(PARTS):
        inside = part_of == part
        # a sum modulo 2^64 does not depend on the order; differences of running sums are the sums of the rows
        sums = np.concatenate([[np.uint64(0)], np.cumsum(np.where(inside, pairs, np.uint64(0)), dtype=np.uint64)])
        sizes = np.concatenate([[0], np.cumsum(inside)])
        marks[:, part] = mix(sums[counts.indptr[1:]] - sums[counts.indptr[:-1]])
        known[:, part] = sizes[counts.indptr[1:]] - sizes[counts.indptr[:-1]] >= LEAST_GENES
    return marks, known


def hashed(names: Strings) -> Hashes:
    """Return a 64-bit hash of each name, whatever its case."""
    digests = b"".join(hashlib.blake2b(name.upper().encode(), digest_size=8).digest() for name in names.tolist())
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


class Bloom:
    """A set of fingerprints that may claim to hold one it does not, at a known rate, and never denies one it holds.

    Parameters
    ----------
    n_expected
        Fingerprints that will be added.
    rate
        False-positive rate at that number (Bloom 1970).
    """

    def __init__(self, n_expected: int, rate: float = 1e-3) -> None:
        n_bits = math.ceil(-max(1, n_expected) * math.log(rate) / math.log(2) ** 2)
        self.bits = np.zeros(-(-n_bits // 8), dtype=np.uint8)
        self.n_hashes = max(1, round(n_bits / max(1, n_expected) * math.log(2)))

    def _places(self, marks: Hashes) -> npt.NDArray[np.int64]:
        """Return the bits of each mark, (n_hashes, n): two hashes give all (Kirsch and Mitzenmacher 2006)."""
        second = mix(marks) | np.uint64(1)
        turns = np.arange(self.n_hashes, dtype=np.uint64)[:, None]
        spread = marks[None, :] + turns * second[None, :]  # modulo 2 ** 64
        return (spread % np.uint64(8 * len(self.bits))).astype(np.int64)

    def add(self, marks: Hashes) -> None:
        """Add fingerprints."""
        places = self._places(marks).ravel()
        np.bitwise_or.at(self.bits, places >> 3, (1 << (places & 7)).astype(np.uint8))

    def has(self, marks: Hashes) -> npt.NDArray[np.bool_]:
        """Return which fingerprints may be there."""
        places = self._places(marks)
        found: npt.NDArray[np.bool_] = ((self.bits[places >> 3] >> (places & 7).astype(np.uint8)) & 1).all(axis=0)
        return found

    @property
    def rate(self) -> float:
        """The chance that a fingerprint that was never added is claimed, from the share of bits that are set."""
        stretches = (self.bits[start : start + (1 << 20)] for start in range(0, len(self.bits), 1 << 20))
        share: float = sum(int(np.unpackbits(stretch).sum()) for stretch in stretches) / (8 * len(self.bits))
        return float(share**self.n_hashes)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many cells of a dataset are in a corpus.

    Attributes
    ----------
    found, asked
        Cells that were found; cells with enough genes to be looked for.
    rate
        The chance that a cell that is not in the corpus is found.
    """

    found: int
    asked: int
    rate: float

    @property
    def seen(self) -> bool:
        """Whether more cells are found than chance explains: over 0.1 %, and over ten times the expected number."""
        return self.found > max(0.001, 10 * self.rate) * self.asked

    def __str__(self) -> str:
        """Return it as a sentence's part."""
        return (
            f"{self.found:,} of {self.asked:,} cells are in the corpus, by their counts (false positives: "
            f"{self.rate:.1g} a cell; changed copies are not found)"
        )


def find_cells(bloom: Bloom, dataset: Dataset) -> Evidence:
    """Return how many cells of a dataset are in the corpus that the filter holds."""
    found = asked = np.zeros(dataset.n_cells, dtype=bool)
    for names in (dataset.symbols, dataset.ensembl):
        if names is None:
            continue
        genes = hashed(names)
        hits, enough = [], []
        for _, counts in blocks(dataset.counts):
            marks, known = fingerprints(counts, genes)
            there = bloom.has(marks.ravel()).reshape(marks.shape) & known
            hits.append(there.sum(axis=1) >= NEEDED)
            enough.append(known.sum(axis=1) >= NEEDED)
        found, asked = found | np.concatenate(hits), asked | np.concatenate(enough)
    p = bloom.rate
    rate = sum(math.comb(PARTS, hit) * p**hit * (1 - p) ** (PARTS - hit) for hit in range(NEEDED, PARTS + 1))
    return Evidence(int(found.sum()), int(asked.sum()), min(1.0, 2 * rate))  # asked by symbol and by Ensembl id


def save(bloom: Bloom, path: Path) -> None:
    """Write a filter; it appears only once complete."""
    with replaced_whole(path) as part, part.open("wb") as stream:
        np.savez(stream, bits=bloom.bits, n_hashes=bloom.n_hashes, version=VERSION)


def load(path: Path) -> Bloom:
    """Return a filter that :func:`save` wrote.

    Raises
    ------
    UsageProblem
        If the file is missing, or is no such filter.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            found = {name: archive[name] for name in ("bits", "n_hashes", "version")}
    except FileNotFoundError:
        msg = f"{path}: no such file; zsgate leakage build writes it"
        raise UsageProblem(msg) from None
    except Exception as error:  # the boundary to NumPy's format: a damaged file fails there in any way
        msg = f"{path} is no filter of fingerprints ({' '.join(str(error).split())})"
        raise UsageProblem(msg) from error
    if int(found["version"]) != VERSION or found["bits"].dtype != np.uint8:
        msg = f"{path} was written by another version of zsgate; build it anew"
        raise UsageProblem(msg)
    bloom = Bloom(1)
    bloom.bits, bloom.n_hashes = found["bits"], int(found["n_hashes"])
    return bloom
