"""Builders: from the public files of a card to a Dataset, one function each.

Every builder takes (card, files by name, folder for what is made of them) and returns all cells; a card that wants
fewer has them drawn afterwards.
"""

from __future__ import annotations

import gzip
import re
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp
from filelock import FileLock

from zsgate.data.annotations import Annotations, Strings
from zsgate.data.catalogue.card import Card
from zsgate.data.catalogue.safe_pickle import read_pbmc_metadata
from zsgate.data.dataset import Dataset
from zsgate.data.read import Source, assemble, read_file, without_rare_genes
from zsgate.errors import UsageProblem
from zsgate.system.download import make_sure_of_room
from zsgate.system.files import replaced_whole

if TYPE_CHECKING:
    import pandas as pd

Files = Mapping[str, Path]


def one_file(card: Card, files: Files, folder: Path, *, rounding: bool = False) -> Dataset:
    """Return what the card's columns say of its only file."""
    (path,) = files.values()
    source = replace(_source(card), path=path, columns=card.columns, rounding=rounding)
    return read_file(source, folder.parent.parent / "prepared")  # the cache folder holds datasets/NAME and prepared


def _source(card: Card) -> Source:
    return Source(name=card.name, scope=card.scope, card=card.facts)


def rounded(card: Card, files: Files, folder: Path) -> Dataset:
    """Return what the card's only file holds, fractional counts rounded to the nearest integer."""
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
            path = unpack(content, inside[0], folder)
    except UsageProblem:
        raise
    except OSError as error:  # of the disk: the archive may be sound
        msg = f"{archive}: could not be unpacked into {folder} ({error})"
        raise UsageProblem(msg) from error
    except Exception as error:  # the boundary to zipfile: a damaged archive fails in any way
        msg = f"{archive}: not a readable zip archive ({error}); delete it and it is fetched again"
        raise UsageProblem(msg) from error
    return one_file(card, {path.name: path}, folder)


def unpack(content: zipfile.ZipFile, entry: str, folder: Path) -> Path:
    """Unpack one file of an archive into ``folder``, unless it is there, and return where it is.

    It appears only once it is complete and its check sum is right.
    """
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
    read = {name.removesuffix(".tar.gz"): read_10x(path) for name, path in files.items()}
    ids, symbols = _same_genes(card, {name: one.genes for name, one in read.items()})
    annotations = Annotations(
        cell_ids=np.concatenate([np.char.add(f"{name}_", one.barcodes) for name, one in read.items()]),
        cell_types=np.concatenate([np.full(one.counts.shape[0], name) for name, one in read.items()]),
        symbols=symbols,
        ensembl=ids,
    )
    return assemble(_source(card), sp.vstack([one.counts for one in read.values()], format="csr"), annotations)


def pbmc_12k(card: Card, files: Files, _: Path) -> Dataset:
    """Return what ``scvi.data.pbmc_dataset()`` returns: 10x pbmc8k and pbmc4k with the labels of scVI-data.

    Batch 0 is pbmc8k, batch 1 pbmc4k. A barcode that both have leads to the cell of pbmc4k, as in scvi-tools.
    """
    import pandas as pd

    genes = pd.read_csv(files["gene_info.csv"])
    barcodes, clusters, names = read_pbmc_metadata(files["pbmc_metadata.pickle"])
    read = [read_10x(files[f"{name}.tar.gz"]) for name in ("pbmc8k", "pbmc4k")]
    ids = _same_genes(card, {str(batch): one.genes for batch, one in enumerate(read)})[0]
    there = np.concatenate([one.barcodes for one in read])
    batches = np.repeat(["0", "1"], [len(one.barcodes) for one in read])
    row_of = {barcode: row for row, barcode in enumerate(there.tolist())}
    labelled = np.array([barcode in row_of for barcode in barcodes.tolist()])
    rows = np.array([row_of[barcode] for barcode in barcodes[labelled].tolist()])
    column_of = {gene: column for column, gene in enumerate(ids.tolist())}
    kept = genes[genes["ENSG"].isin(column_of)]
    columns = np.array([column_of[gene] for gene in kept["ENSG"]])
    annotations = Annotations(
        cell_ids=there[rows],
        cell_types=names[clusters[labelled]],
        symbols=kept["GS"].to_numpy(dtype=str),
        ensembl=kept["ENSG"].to_numpy(dtype=str),
        batches=batches[rows],
    )
    counts = sp.vstack([one.counts for one in read], format="csr")[rows][:, columns]
    return assemble(_source(card), counts, annotations)


def _same_genes(card: Card, genes: Mapping[str, pd.DataFrame]) -> tuple[Strings, Strings]:
    """Return (Ensembl ids, symbols), the same in every matrix, or say which has others."""
    first = next(iter(genes.values()))
    for name, other in genes.items():
        if not other[0].equals(first[0]):
            msg = f"dataset {card.name!r}: the genes of {name} are not those of {next(iter(genes))}"
            raise UsageProblem(msg)
    return first[0].to_numpy(dtype=str), first[1].to_numpy(dtype=str)


class TenX(NamedTuple):
    """Counts (n_cells, n_genes), table of genes (Ensembl id, symbol) and barcodes, as 10x Genomics publishes them."""

    counts: sp.csr_matrix
    genes: pd.DataFrame
    barcodes: Strings


def read_10x(path: Path) -> TenX:
    """Return what an archive of Cell Ranger 1 or 2 holds.

    Raises
    ------
    UsageProblem
        If it is damaged, or not such an archive.
    """
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
    return TenX(counts, genes, barcodes)
