"""Datasets: those that a run judges on, by name, and what is said of each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from zsgate.config.config import Config
from zsgate.data.annotations import Columns
from zsgate.data.catalogue.card import Card
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.catalogue.files import Shelf
from zsgate.data.catalogue.load import load
from zsgate.data.catalogue.sample import drawn
from zsgate.data.check import no_batch_score, remarks
from zsgate.data.dataset import Dataset
from zsgate.data.file import kept
from zsgate.data.file.anndata_file import identity_of, open_file
from zsgate.data.file.path import is_file
from zsgate.data.leakage import exposure as leakage
from zsgate.data.leakage.exposure import Exposure
from zsgate.data.leakage.fingerprints import find_cells
from zsgate.data.leakage.fingerprints import load as load_filter
from zsgate.data.read import Source, read_file
from zsgate.errors import UsageProblem, unknown
from zsgate.report.record import DatasetRecord, PretrainingRecord
from zsgate.system.cache import find_folder
from zsgate.system.download import LARGE, SPEED
from zsgate.system.sources import code_of
from zsgate.system.store import Store

CardOrFile = Card | Source  # a dataset of the catalogue, or a file of the user's own
KEPT = "cells"  # folder of the store
READERS = (load.__module__, kept.__name__)  # what reads, and all that it imports


def chosen(config: Config) -> dict[str, CardOrFile]:
    """Return what to judge on, by the names that test ids carry.

    A name is looked up in the user's own tables first, then in the catalogue; anything that ends like a file is one.

    Raises
    ------
    UsageProblem
        If a name is unknown, two datasets have the same, or what is typed of columns is of none of them.
    """
    found: dict[str, CardOrFile] = {}
    for entry in config.dataset_names:
        source = _source(entry, config)
        if source.name in found:
            msg = f"two datasets are named {source.name!r}; rename one of the files"
            raise UsageProblem(msg)
        found[source.name] = source
    idle = sorted(config.typed & {"label", "batch", "donor", "counts", "scope"})
    if idle and not any(isinstance(source, Source) for source in found.values()):
        msg = f"--{idle[0]} is for files of your own; this run judges on the catalogue's alone: {', '.join(found)}"
        raise UsageProblem(msg)
    return found


def _source(entry: str, config: Config) -> CardOrFile:
    typed = {"label": config.label, "batch": config.batch, "donor": config.donor, "counts": config.counts}
    if is_file(entry):
        columns = Columns(**typed, not_labels=config.not_labels)
        return Source(name=Path(entry).stem, path=Path(entry), columns=columns, scope=config.scope)
    if entry in config.own:
        table = config.own[entry]
        roles = {role: table.get(role, column) for role, column in typed.items()}
        columns = Columns(**roles, not_labels=config.not_labels)
        return Source(name=entry, path=table["path"], columns=columns, scope=table.get("scope", config.scope))
    if entry not in CARDS:
        names = (*config.own, *CARDS)
        raise UsageProblem(unknown("dataset", entry, names) + "; a file's name ends in .h5ad or .zarr")
    return CARDS[entry]


def names_of(entry: str, config: Config) -> set[str]:
    """Return what the cells of a dataset may be called in a run, given its name or its file.

    Cards of the catalogue that read the same files hold the same cells.
    """
    if entry in CARDS:
        files = CARDS[entry].files
        return {name for name, card in CARDS.items() if card.files == files}
    if not is_file(entry):
        return {entry}
    tables = {name for name, table in config.own.items() if table["path"].resolve() == Path(entry).resolve()}
    return {Path(entry).stem, *tables}


def shelf_of(config: Config) -> Shelf:
    """Return where this run's files of the catalogue are."""
    return Shelf(find_folder(config.cache), config.mirror, config.offline)


def read(source: CardOrFile, shelf: Shelf, store: Store, at_most: int | None = None) -> Dataset:
    """Return a dataset, from the user's file or the catalogue's; from the store where it was read before.

    Parameters
    ----------
    source, shelf
        Where it comes from.
    store
        Keeps small ones. Files are told from themselves before a change by size and time, as they are elsewhere.
    at_most
        How many of its cells are drawn; None takes all.
    """
    key = _key_of(source, shelf, at_most)
    if store.has(KEPT, key):
        made = store.arrays(KEPT, key, lambda: kept.to_arrays(drawn(_read(source, shelf), at_most)))
        return kept.from_arrays(*made)
    dataset = drawn(_read(source, shelf), at_most)
    if kept.is_small(dataset):
        store.arrays(KEPT, key, lambda: kept.to_arrays(dataset))
    return dataset


def _read(source: CardOrFile, shelf: Shelf) -> Dataset:
    if isinstance(source, Card):
        return load(source.name, shelf)
    return read_file(replace(source, card={"source": source.where}), shelf.cache / "prepared")


def is_kept(source: CardOrFile, shelf: Shelf, store: Store, at_most: int | None) -> bool:
    """Return whether a dataset can be had without reading its file; downloads nothing."""
    absent = isinstance(source, Card) and any(shelf.find(source, file) is None for file in source.files)
    return not absent and store.has(KEPT, _key_of(source, shelf, at_most))


def n_cells_of(source: Source) -> int:
    """Return how many cells a file has, of which only their names are read."""
    assert source.path is not None
    with open_file(source.path) as file:
        return len(file.obs)


def _key_of(source: CardOrFile, shelf: Shelf, at_most: int | None) -> dict[str, object]:
    """Return what decides the cells: what is said of them, their files, and the code that reads."""
    paths = list(shelf.files(source).values()) if isinstance(source, Card) else [source.path]
    files = [identity_of(path) for path in paths if path is not None and path.exists()]
    return {"source": repr(source), "cells": at_most, "files": files, "code": code_of(*READERS)}


def fetch_files(sources: dict[str, CardOrFile], shelf: Shelf) -> None:
    """Download the files of the catalogue that are not here, all before any is read; say first how much it is.

    Raises
    ------
    UsageProblem
        If a file cannot be had or is not the published one.
    """
    cards = [source for source in sources.values() if isinstance(source, Card)]
    lacking = [card.name for card in cards if any(shelf.find(card, file) is None for file in card.files)]
    if shelf.offline and len(lacking) > 1:
        msg = (
            f"{len(lacking)} datasets are not here ({', '.join(lacking)}), and the network is off limits (--offline). "
            f"Where there is one, run: zsgate data fetch {' '.join(lacking)}; or name a mirror with --mirror; or judge "
            "on what is packaged with --tier=quick"
        )
        raise UsageProblem(msg)
    absent = {file.name: file for card in cards for file in card.files if shelf.find(card, file) is None}
    known = sum(file.n_bytes or 0 for file in absent.values())
    unknown_sizes = [name for name, file in absent.items() if file.n_bytes is None]
    if known > LARGE and not shelf.offline:
        also = f", and {', '.join(unknown_sizes)} of unpublished size" if unknown_sizes else ""
        hours = f"{known / SPEED / 3600:.1f} hours at {SPEED / 1e6:.0f} MB/s"
        sys.stderr.write(f"zsgate: {known / 1e9:.1f} GB of data to download ({hours}){also}; --tier=quick needs none\n")
    for card in cards:
        shelf.files(card)


def without_batches(source: CardOrFile, dataset: Callable[[], Dataset]) -> str:
    """Return why there is no batch score, or an empty string: as the card says, or for a file as its cells show."""
    if isinstance(source, Card):
        return "the dataset has one batch, so there is nothing to mix" if source.n_batches == 1 else ""
    return no_batch_score(dataset())


def exposure(
    source: CardOrFile,
    model: str,
    stated: tuple[str, ...] | None,
    config: Config,
    cells: Callable[[], Dataset],
) -> Exposure:
    """Return whether a model saw a dataset in pretraining, as far as anybody says.

    Parameters
    ----------
    source
        Of the dataset.
    model
        Name of the model.
    stated
        What the model itself says that it was pretrained on.
    config
        What the user says.
    cells
        Reads the dataset, for comparison with a corpus.
    """
    said = config.models.get(config.model, {})
    declared, corpus = said.get("pretraining"), said.get("corpus")
    return leakage.exposure(
        source.name,
        declared=declared and {each for entry in declared for each in names_of(entry, config)},
        published=source.exposure.get(model) if isinstance(source, Card) else None,
        stated=stated,
        evidence=None if corpus is None else find_cells(load_filter(corpus), cells()),
    )


def record(dataset: Dataset, seen: Exposure) -> DatasetRecord:
    """Return what the report says of a dataset, and of whether the candidate saw it."""
    n_batches, n_donors = (
        None if column is None else len(np.unique(column)) for column in (dataset.batches, dataset.donors)
    )
    card, (types, sizes) = dataset.card, np.unique(dataset.cell_types, return_counts=True)
    return DatasetRecord(
        name=dataset.name,
        n_cells=dataset.n_cells,
        n_genes=int(dataset.counts.shape[1]),
        n_cell_types=len(types),
        n_batches=n_batches,
        n_donors=n_donors,
        scope=dataset.scope,  # type: ignore[arg-type]
        source=str(card.get("source", "")),
        licence=str(card.get("licence", "")),
        citation=str(card.get("citation", "")),
        notes=(*dataset.notes, *remarks(dataset)),
        pretraining=PretrainingRecord(status=seen.status, source=seen.source),
        cell_types=tuple(zip(types.tolist(), sizes.tolist(), strict=True)),
    )
