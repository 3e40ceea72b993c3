"""Recipes: from the public files of a card to a Dataset, one function each.

Every function takes (card, files by name, folder for what is made of them) and returns the whole dataset; what is
drawn of it is drawn afterwards.
"""

from __future__ import annotations

import gzip
import pickle
import re
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from filelock import FileLock

from zsgate.data.catalogue.card import Card
from zsgate.data.dataset import Dataset, Strings
from zsgate.data.read import assembled, read_h5ad, without_rare_genes
from zsgate.errors import UsageProblem
from zsgate.system.download import make_sure_of_room
from zsgate.system.files import replaced_whole

if TYPE_CHECKING:
    import pandas as pd

Files = Mapping[str, Path]


def one_file(card: Card, files: Files, folder: Path, *, rounding: bool = False) -> Dataset:
    """Return what the card's columns say of its only file."""
    (path,) = files.values()
    copies = folder.parent.parent / "prepared"
    return read_h5ad(path, card.name, card.columns, scope=card.scope, card=card.facts, rounding=rounding, cache=copies)


def rounded(card: Card, files: Files, folder: Path) -> Dataset:
    """Return it with fractional counts rounded to the nearest integer."""
    return one_file(card, files, folder, rounding=True)


def zipped(card: Card, files: Files, folder: Path) -> Dataset:
    """Return what the only ``.h5ad`` file in a zip archive holds; it is unpacked once, into ``folder``."""
    (archive,) = files.values()
    try:
        with zipfile.ZipFile(archive) as content:
            inside = [entry for entry in content.namelist() if entry.endswith(".h5ad") and "__MACOSX" not in entry]
            if len(inside) != 1:
                msg = f"{archive}: one .h5ad file expected in it, found {', '.join(inside) or 'none'}"
                raise UsageProblem(msg)
            path = _unpacked(content, inside[0], folder)
    except UsageProblem:
        raise
    except OSError as error:  # of the disk: the archive may be sound
        msg = f"{archive}: could not be unpacked into {folder} ({error})"
        raise UsageProblem(msg) from error
    except Exception as error:  # the boundary to zipfile: a damaged archive fails in any way
        msg = f"{archive}: not a readable zip archive ({error}); delete it and it is fetched again"
        raise UsageProblem(msg) from error
    return one_file(card, {path.name: path}, folder)


def _unpacked(content: zipfile.ZipFile, entry: str, folder: Path) -> Path:
    """Return where one file of an archive is; it appears only once complete, its check sum having been right."""
    path, n_bytes = folder / Path(entry).name, content.getinfo(entry).file_size

    def is_there() -> bool:
        return path.exists() and path.stat().st_size == n_bytes

    if is_there():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if is_there():  # another process was faster
            return path
        make_sure_of_room(path, n_bytes)
        with replaced_whole(path) as part, content.open(entry) as packed, part.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 22)
    return path


def pancreas(card: Card, files: Files, folder: Path) -> Dataset:
    """Return the paper's Pancreas: technologies in lower case, the four inDrop runs taken as one batch."""
    whole = rounded(card, files, folder)
    assert whole.batches is not None
    technologies = [re.sub(r"indrop\d*", "indrop", batch.lower()) for batch in whole.batches.tolist()]
    return replace(whole, batches=np.array(technologies))


def pancreas_no_overlap(card: Card, files: Files, folder: Path) -> Dataset:
    """Return the paper's Pancreas without the inDrop cells, which Geneformer V1 was pretrained on."""
    whole = pancreas(card, files, folder)
    assert whole.batches is not None
    return without_rare_genes(whole.subset(np.flatnonzero(whole.batches != "indrop")))


def pbmc_95k(card: Card, files: Files, _: Path) -> Dataset:
    """Return the ten bead-purified populations of Zheng et al. 2017, the population being the label."""
    read = {name.removesuffix(".tar.gz"): _read_10x(path) for name, path in files.items()}
    ids, symbols = _same_genes(card, {name: one[1] for name, one in read.items()})
    return assembled(
        card.name,
        counts=sp.vstack([counts for counts, _, _ in read.values()], format="csr"),
        cell_ids=np.concatenate([np.char.add(f"{name}_", barcodes) for name, (_, _, barcodes) in read.items()]),
        cell_types=np.concatenate([np.full(one[0].shape[0], name) for name, one in read.items()]),
        symbols=symbols,
        ensembl=ids,
        scope=card.scope,
        card=card.facts,
    )


def pbmc_12k(card: Card, files: Files, _: Path) -> Dataset:
    """Return what ``scvi.data.pbmc_dataset()`` returns: 10x pbmc8k and pbmc4k with the labels of scVI-data.

    Batch 0 is pbmc8k, batch 1 pbmc4k. A barcode that both have leads to the cell of pbmc4k, as in scvi-tools.
    """
    import pandas as pd

    genes = pd.read_csv(files["gene_info.csv"])
    barcodes, clusters, names = read_pbmc_metadata(files["pbmc_metadata.pickle"])
    read = [_read_10x(files[f"{name}.tar.gz"]) for name in ("pbmc8k", "pbmc4k")]
    ids = _same_genes(card, {str(batch): one[1] for batch, one in enumerate(read)})[0]
    there = np.concatenate([one[2] for one in read])
    batches = np.repeat(["0", "1"], [len(one[2]) for one in read])
    row_of = {barcode: row for row, barcode in enumerate(there.tolist())}
    labelled = np.array([barcode in row_of for barcode in barcodes.tolist()])
    rows = np.array([row_of[barcode] for barcode in barcodes[labelled].tolist()])
    column_of = {gene: column for column, gene in enumerate(ids.tolist())}
    kept = genes[genes["ENSG"].isin(column_of)]
    columns = np.array([column_of[gene] for gene in kept["ENSG"]])
    return assembled(
        card.name,
        counts=sp.vstack([one[0] for one in read], format="csr")[rows][:, columns],
        cell_ids=there[rows],
        cell_types=names[clusters[labelled]],
        symbols=kept["GS"].to_numpy(dtype=str),
        ensembl=kept["ENSG"].to_numpy(dtype=str),
        batches=batches[rows],
        scope=card.scope,
        card=card.facts,
    )


def _same_genes(card: Card, genes: Mapping[str, pd.DataFrame]) -> tuple[Strings, Strings]:
    """Return (Ensembl ids, symbols), the same in every matrix, or say which has others."""
    first = next(iter(genes.values()))
    for name, other in genes.items():
        if not other[0].equals(first[0]):
            msg = f"dataset {card.name!r}: the genes of {name} are not those of {next(iter(genes))}"
            raise UsageProblem(msg)
    return first[0].to_numpy(dtype=str), first[1].to_numpy(dtype=str)


def _read_10x(path: Path) -> tuple[sp.csr_matrix, pd.DataFrame, Strings]:
    """Return (counts (cells, genes), table of genes, barcodes) of a 10x archive of Cell Ranger 1 or 2."""
    import pandas as pd
    from scipy.io import mmread

    try:
        with gzip.open(path) as unpacked, tarfile.open(fileobj=unpacked) as archive:
            members = {Path(member.name).name: member for member in archive if member.isfile()}
            parts = {name: archive.extractfile(members[name]) for name in ("matrix.mtx", "genes.tsv", "barcodes.tsv")}
            genes = pd.read_csv(parts["genes.tsv"], sep="\t", header=None, dtype=str, keep_default_na=False)
            barcodes = pd.read_csv(parts["barcodes.tsv"], sep="\t", header=None, dtype=str)[0].to_numpy(dtype=str)
            counts = sp.csr_matrix(mmread(parts["matrix.mtx"]).T)
            while unpacked.read(1 << 22):  # to the end, where the check sum of all of it is
                pass
    except Exception as error:  # the boundary to tarfile, zlib, pandas and SciPy: a damaged archive fails in any way
        msg = f"{path}: not a readable 10x archive of matrix.mtx, genes.tsv and barcodes.tsv ({error})"
        raise UsageProblem(msg) from error
    return counts, genes, barcodes


class _Held:
    """Stands for an object of pandas in a pickle: keeps what it is given and does nothing with it."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _held_index(_: Any, arguments: dict[str, Any]) -> _Held:
    index = _Held()
    index.state = arguments.get("data")
    return index


class _Inert(pickle.Unpickler):
    """Reads arrays; pandas' classes are replaced by inert ones, anything else is refused before it is called."""

    def find_class(self, module: str, name: str) -> Any:
        multiarray = np._core.multiarray  # type: ignore[attr-defined]
        if module.startswith("pandas.core."):
            return _held_index if name == "_new_Index" else _Held
        known = {
            ("numpy.core.multiarray", "_reconstruct"): multiarray._reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("builtins", "slice"): slice,
        }
        if (module, name) not in known:
            msg = f"{module}.{name} has no place in a table of labels; nothing was executed"
            raise pickle.UnpicklingError(msg)
        return known[module, name]


def read_pbmc_metadata(path: Path) -> tuple[Strings, np.ndarray, Strings]:
    """Return (barcodes, cluster of each, names of the clusters) of scVI-data's pbmc_metadata.pickle.

    Raises
    ------
    UsageProblem
        If the file is damaged, or holds anything but tables.
    """
    try:
        with path.open("rb") as file:
            found = _Inert(file).load()
        axes = found["barcodes"].state["_data"].state[0]
        clusters, names = np.asarray(found["clusters"]), np.asarray(found["list_clusters"], dtype=str)
        barcodes = next(axis.state for axis in axes if len(axis.state) == len(clusters)).astype(str)
    except Exception as error:  # the boundary to pickle: a damaged one fails in any way
        msg = f"{path} is not the table of labels of scVI-data ({error})"
        raise UsageProblem(msg) from error
    return barcodes, clusters, names
