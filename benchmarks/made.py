"""Made data: as many cells as are wanted, from real ones, so that donors, types and noise of counts are like theirs.

A made cell is the sum of two real cells of one donor and type with every count kept by a coin: it has as many counts as
a real one has, of genes of both. Where more types, donors or batches are wanted than the real cells have, each of these
swaps the roles of some genes, which is a difference that every model can see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.dataset import Dataset

Codes = npt.NDArray[np.intp]
BLOCK = 20_000  # cells made at a time
# share of the genes that swap roles in a type, a batch and a donor that the real cells do not have
SWAPPED = {"type": 0.05, "batch": 0.02, "donor": 0.01}


@dataclass(frozen=True, slots=True)
class Structure:
    """Sizes of a dataset.

    Attributes
    ----------
    name
        Of the file.
    n_cells, n_genes, n_types, n_batches
        Sizes; batches are nested in nothing.
    n_donors
        Number of donors; None where the file names none.
    """

    name: str
    n_cells: int
    n_genes: int
    n_types: int
    n_batches: int
    n_donors: int | None


@dataclass(frozen=True)
class Mould:
    """Real cells to make others of.

    Attributes
    ----------
    counts
        Of the real cells, shape (n_real, n_genes).
    types, donors
        Codes of each, shape (n_real,).
    members
        Positions of the real cells of each type and donor that there are.
    """

    counts: sp.csr_matrix
    types: Codes
    donors: Codes
    members: dict[tuple[int, int], Codes] = field(default_factory=dict)

    @classmethod
    def of(cls, real: Dataset, n_genes: int | None = None) -> Mould:
        """Return the mould of a dataset with donors; of so many genes only, those that most cells have."""
        donors = real.donors if real.donors is not None else np.full(real.n_cells, "one")
        types, donors = (np.unique(names, return_inverse=True)[1] for names in (real.cell_types, donors))
        counts = real.counts
        if n_genes is not None and n_genes < counts.shape[1]:
            seen = np.bincount(counts.indices, minlength=counts.shape[1])
            counts = counts[:, np.sort(np.argsort(-seen, kind="stable")[:n_genes])]
        pairs = np.unique(np.column_stack([types, donors]), axis=0).tolist()
        members = {(t, d): np.flatnonzero((types == t) & (donors == d)) for t, d in pairs}
        return cls(counts, types, donors, members)

    def cast(self, pairs: npt.NDArray[np.intp], generator: np.random.Generator) -> sp.csr_matrix:
        """Return the counts of cells of these (type, donor) pairs, shape (n_cells, 2)."""
        parents = np.empty((2, len(pairs)), dtype=np.intp)
        kinds, kind = np.unique(pairs, axis=0, return_inverse=True)
        for index, (of_type, donor) in enumerate(kinds.tolist()):
            rows = np.flatnonzero(kind == index)
            parents[:, rows] = generator.choice(self.members[of_type, donor], (2, len(rows)))
        both = (self.counts[parents[0]] + self.counts[parents[1]]).tocsr()
        both.data = generator.binomial(both.data.astype(np.int64), 0.5).astype(np.float32)
        both.eliminate_zeros()
        return both


def enlarged(real: Dataset, n_cells: int, seed: int = 0, n_genes: int = 5000) -> Dataset:
    """Return so many made cells of the types, donors and batches of real ones, in the same shares.

    Parameters
    ----------
    real
        With donors; a made cell has the batch of a real cell of its type and donor.
    n_cells
        How many.
    seed
        Of the draw.
    n_genes
        Genes to keep, those that most cells have.
    """
    generator = np.random.default_rng(seed)
    mould = Mould.of(real, n_genes)
    like = np.sort(generator.integers(0, real.n_cells, n_cells))
    pairs = np.column_stack([mould.types[like], mould.donors[like]])
    counts = sp.vstack([mould.cast(pairs[at : at + BLOCK], generator) for at in range(0, n_cells, BLOCK)], format="csr")
    return Dataset(
        name=f"{real.name}_{n_cells}",
        counts=counts,
        cell_ids=np.array([f"made{index}" for index in range(n_cells)]),
        cell_types=real.cell_types[like],
        symbols=np.array([f"g{index}" for index in range(counts.shape[1])]),
        batches=None if real.batches is None else real.batches[like],
        donors=None if real.donors is None else real.donors[like],
    )


def blocks(structure: Structure, real: Dataset, seed: int = 0) -> Iterator[tuple[sp.csr_matrix, dict[str, Codes]]]:
    """Yield counts of a block of cells, and their codes of ``cell_type``, ``batch`` and ``donor``."""
    generator = np.random.default_rng([seed, structure.n_cells])
    mould = Mould.of(real, structure.n_genes)
    kinds = list(mould.members)
    n_donors = structure.n_donors or 1
    # which real kind a made type of a made donor is cast of; shares of the types fall as those of tissues do
    source = generator.integers(0, len(kinds), (structure.n_types, n_donors))
    source[:] = source[:, :1]
    share = generator.dirichlet(np.full(structure.n_types, 0.7), n_donors)
    roles = {
        "type": _roles(structure.n_types, structure.n_genes, SWAPPED["type"], generator),
        "batch": _roles(structure.n_batches, structure.n_genes, SWAPPED["batch"], generator),
        "donor": _roles(n_donors, structure.n_genes, SWAPPED["donor"], generator),
    }
    for start in range(0, structure.n_cells, BLOCK):
        n = min(BLOCK, structure.n_cells - start)
        donor = generator.integers(0, n_donors, n)
        batch = (donor + generator.integers(0, 2, n)) % structure.n_batches
        cell_type = np.array([generator.choice(structure.n_types, p=share[each]) for each in donor.tolist()])
        if start == 0:  # every type, batch and donor is there
            for codes, number in ((cell_type, structure.n_types), (batch, structure.n_batches), (donor, n_donors)):
                codes[: 3 * number] = np.arange(3 * number) % number
        counts = mould.cast(np.array(kinds)[source[cell_type, donor]], generator)
        cells = np.repeat(np.arange(n), np.diff(counts.indptr))
        genes = counts.indices
        for role, codes in (("type", cell_type), ("batch", batch), ("donor", donor)):
            genes = roles[role][codes[cells], genes]
        made = sp.csr_matrix((counts.data, genes.astype(np.int32), counts.indptr), shape=(n, structure.n_genes))
        made.sort_indices()
        yield made, {"cell_type": cell_type, "batch": batch, "donor": donor}


def _roles(number: int, n_genes: int, swapped: float, generator: np.random.Generator) -> npt.NDArray[np.int32]:
    """Return for each of ``number`` the gene that each gene stands for, shape (number, n_genes); the first is plain."""
    roles = np.tile(np.arange(n_genes, dtype=np.int32), (number, 1))
    for role in roles[1:]:
        some = generator.choice(n_genes, max(2, int(swapped * n_genes)), replace=False)
        role[some] = role[np.roll(some, 1)]
    return roles


def write(structure: Structure, real: Dataset, folder: Path, seed: int = 0) -> Path:
    """Write made cells as an .h5ad block by block, and return its path; a file that is there is taken as it is."""
    path = folder / f"{structure.name}.h5ad"
    if path.exists():
        return path
    part = path.with_suffix(".part")
    known: dict[str, list[Codes]] = {"cell_type": [], "batch": [], "donor": []}
    with h5py.File(part, "w") as file:
        x = file.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        x.attrs["shape"] = (structure.n_cells, structure.n_genes)
        grown = {
            name: x.create_dataset(name, (0,), maxshape=(None,), dtype=dtype, chunks=(1 << 18,))
            for name, dtype in (("data", np.float32), ("indices", np.int32))
        }
        ends = [np.zeros(1, dtype=np.int64)]
        for counts, codes in blocks(structure, real, seed):
            for name, values in (("data", counts.data), ("indices", counts.indices)):
                size = grown[name].shape[0]
                grown[name].resize((size + len(values),))
                grown[name][size:] = values
            ends.append(counts.indptr[1:].astype(np.int64) + ends[-1][-1])
            for name, each in codes.items():
                known[name].append(each)
        x["indptr"] = np.concatenate(ends)
        columns = {name: np.char.add(name, np.concatenate(each).astype(str)) for name, each in known.items()}
        if structure.n_donors is None:
            del columns["donor"]
        _write_table(file, "obs", [f"cell{index}" for index in range(structure.n_cells)], columns)
        _write_table(file, "var", [f"gene{index}" for index in range(structure.n_genes)], {})
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    part.rename(path)
    return path


def _write_table(file: h5py.File, name: str, index: list[str], columns: dict[str, npt.NDArray[np.str_]]) -> None:
    import anndata
    import pandas as pd

    frame = pd.DataFrame({key: pd.Categorical(values) for key, values in columns.items()}, index=index)
    anndata.io.write_elem(file, name, frame)
