"""Writes small files of the very structure that the paper's five public datasets have: names, layers, index, archives.

``python tests/data/public_files.py FOLDER`` writes them all, in the order of a mirror, from real pancreas cells.
"""

from __future__ import annotations

import io
import pickle
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import ClassVar

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import mmwrite

from zsgate.data.dataset import Dataset

TECHNOLOGIES = ("celseq", "celseq2", "fluidigmc1", "inDrop1", "inDrop2", "inDrop3", "inDrop4", "smarter", "smartseq2")


def write_all(folder: Path, cells: Dataset) -> Path:
    """Write every file below ``folder`` and return it."""
    for write in (pancreas, pbmc_12k, pbmc_95k, immune, tabula_sapiens):
        home = folder / write.__name__
        home.mkdir(parents=True, exist_ok=True)
        write(home, cells)
    return folder


def _logged(counts: sp.csr_matrix) -> sp.csr_matrix:
    logged = counts.copy()
    logged.data = np.log1p(logged.data * 0.37)
    return logged


def _frame(cells: Dataset, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(columns, index=cells.cell_ids.astype(object))
    return frame.astype({name: "category" for name in frame if frame[name].dtype == object})


def _dealt(values: tuple[str, ...], n: int) -> list[str]:
    return [values[row % len(values)] for row in range(n)]


def _unique_symbols(cells: Dataset) -> pd.Index:
    return pd.Index(cells.symbols.astype(object))


def pancreas(home: Path, cells: Dataset) -> None:
    """X is log-normalised, counts are partly fractional, symbols are the index, no donors."""
    obs = _frame(cells, tech=_dealt(TECHNOLOGIES, cells.n_cells), celltype=cells.cell_types.astype(object))
    obs["size_factors"] = 1.25
    counts = cells.counts.copy()
    counts.data[::10] += np.float32(0.25)
    adata = anndata.AnnData(_logged(cells.counts), obs=obs, var=pd.DataFrame(index=_unique_symbols(cells)))
    adata.layers["counts"] = counts
    adata.write_h5ad(home / "human_pancreas_norm_complexBatch.h5ad")


def tenx_archive(
    path: Path, inside: str, counts: sp.csr_matrix, genes: list[tuple[str, str]], barcodes: list[str]
) -> None:
    matrix = io.BytesIO()
    mmwrite(matrix, counts.T.tocoo().astype(np.int32), field="integer")
    parts = {
        "matrix.mtx": matrix.getvalue(),
        "genes.tsv": "".join(f"{ensembl}\t{symbol}\n" for ensembl, symbol in genes).encode(),
        "barcodes.tsv": "".join(f"{barcode}\n" for barcode in barcodes).encode(),
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(f"{inside}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _barcode(number: int) -> str:
    return "".join("ACGT"[number >> 2 * place & 3] for place in range(16)) + "-1"


def pbmc_12k(home: Path, cells: Dataset) -> None:
    """Two archives that share a barcode, a table of fewer genes in another order, an old pickle of pandas."""
    half = cells.n_cells // 2
    genes = list(zip(cells.ensembl.tolist(), cells.symbols.tolist(), strict=True))
    barcodes = {"pbmc8k": [_barcode(n) for n in range(half)], "pbmc4k": [_barcode(n + half - 1) for n in range(half)]}
    for (name, some), rows in zip(barcodes.items(), (slice(0, half), slice(half, 2 * half)), strict=True):
        tenx_archive(home / f"{name}.tar.gz", "filtered_gene_bc_matrices/GRCh38", cells.counts[rows], genes, some)
    kept = genes[::-2]
    table = pd.DataFrame({"ENSG": [one for one, _ in kept], "GS": [two for _, two in kept], "CD_logFC": 0.5})
    pd.concat([table, pd.DataFrame({"ENSG": ["ENSG00000999999"], "GS": ["ABSENT"]})]).to_csv(home / "gene_info.csv")
    labelled = barcodes["pbmc8k"] + [barcodes["pbmc4k"][0].replace("-1", "-11"), *barcodes["pbmc4k"][1:]]
    names, clusters = np.unique(cells.cell_types[: 2 * half], return_inverse=True)
    (home / "pbmc_metadata.pickle").write_bytes(old_pickle(np.array(labelled, dtype=object), clusters, names))


def pbmc_95k(home: Path, cells: Dataset) -> None:
    """Ten archives of the same genes, barcodes repeating between them."""
    from zsgate.data.catalogue.paper import POPULATIONS

    genes = list(zip(cells.ensembl.tolist(), cells.symbols.tolist(), strict=True))
    for number, name in enumerate(POPULATIONS):
        some = cells.counts[number::10]
        barcodes = [_barcode(row) for row in range(some.shape[0])]
        tenx_archive(home / f"{name}.tar.gz", "filtered_matrices_mex/hg19", some, genes, barcodes)


def immune(home: Path, cells: Dataset) -> None:
    """X is log-normalised, counts in a layer, symbols are the index, CellTypist's columns in obs."""
    obs = _frame(
        cells,
        Organ=_dealt(("BLD", "SPL", "LIV"), cells.n_cells),
        Donor=cells.donors.astype(object),
        Chemistry=_dealt(("5v1", "5v2"), cells.n_cells),
        Majority_voting_CellTypist=cells.cell_types.astype(object),
        Manually_curated_celltype=cells.cell_types.astype(object),
        Age_range=_dealt(("50-55", "60-65"), cells.n_cells),
    )
    adata = anndata.AnnData(_logged(cells.counts), obs=obs, var=pd.DataFrame(index=_unique_symbols(cells)))
    adata.layers["counts"] = cells.counts.copy()
    adata.write_h5ad(home / "CountAdded_PIP_global_object_for_cellxgene.h5ad")


def tabula_sapiens(home: Path, cells: Dataset) -> None:
    """Zip a file: X scaled and dense, raw log-normalised, two layers, Ensembl ids with versions in a column."""
    obs = _frame(
        cells,
        organ_tissue=_dealt(("Blood", "Fat", "Skin"), cells.n_cells),
        method=_dealt(("10X", "10X", "smartseq2"), cells.n_cells),
        donor=cells.donors.astype(object),
        anatomical_information=["nan"] * cells.n_cells,
        cell_ontology_class=cells.cell_types.astype(object),
        compartment=["immune"] * cells.n_cells,
    )
    var = pd.DataFrame(
        {
            "gene_symbol": cells.symbols.astype(object),
            "feature_type": "Gene Expression",
            "ensemblid": [f"{gene}.{place % 9 + 1}" for place, gene in enumerate(cells.ensembl.tolist())],
        },
        index=_unique_symbols(cells),
    )
    adata = anndata.AnnData(_logged(cells.counts), obs=obs, var=var)
    adata.raw = adata
    adata.X = adata.X.toarray() - 0.1
    adata.layers["raw_counts"] = cells.counts.copy()
    adata.layers["decontXcounts"] = cells.counts * 0.9
    content = io.BytesIO()
    adata.write_h5ad(home / "TabulaSapiens.h5ad")
    content.write((home / "TabulaSapiens.h5ad").read_bytes())
    (home / "TabulaSapiens.h5ad").unlink()
    with zipfile.ZipFile(home / "TabulaSapiens.h5ad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("TabulaSapiens.h5ad", content.getvalue())
        archive.writestr("__MACOSX/._TabulaSapiens.h5ad", b"x")


class _Old:
    """Pickles as a class of a pandas that is long gone."""

    name = ("pandas.core.frame", "DataFrame")

    def __init__(self, state: object) -> None:
        self.state = state

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (), self.state


class _OldManager(_Old):
    name = ("pandas.core.internals", "BlockManager")


class _OldIndex(_Old):
    name = ("pandas.core.indexes.base", "Index")

    def __reduce__(self) -> tuple[object, ...]:
        return _new_index, (_OldIndex, {"data": self.state, "name": None})


def _new_index() -> None:
    """Stand for pandas.core.indexes.base._new_Index."""


class _Pickler(pickle._Pickler):  # the one in Python, for it can be told what to call a class
    def save_global(self, obj: object, name: str | None = None) -> None:
        if obj is _new_index:
            module, found = "pandas.core.indexes.base", "_new_Index"
        elif isinstance(obj, type) and issubclass(obj, _Old):
            module, found = obj.name
        else:
            super().save_global(obj, name)
            return
        self.write(pickle.GLOBAL + f"{module}\n{found}\n".encode())
        self.memoize(obj)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, type(_new_index): save_global}


def old_pickle(barcodes: np.ndarray, clusters: np.ndarray, names: np.ndarray) -> bytes:
    """Return a pickle like that of scVI-data, written by pandas 0.2x with the module names of NumPy 1."""
    axes = [_OldIndex(np.array(["Unnamed: 0"], dtype=object)), _OldIndex(barcodes)]
    frame = _Old({"_data": _OldManager((axes, [], [], {})), "_typ": "dataframe", "_metadata": []})
    content = {
        "barcodes": frame,
        "clusters": clusters.astype(np.int64),
        "list_clusters": names.astype(object),
    }
    stream = io.BytesIO()
    _Pickler(stream, protocol=3).dump(content)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


if __name__ == "__main__":
    from zsgate.data.catalogue.load import load

    write_all(Path(sys.argv[1]), load("pancreas_quick"))
