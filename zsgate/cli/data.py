"""The datasets to judge on: what there is, what a file of yours holds, fetching, mirrors."""

from __future__ import annotations

import argparse
from pathlib import Path

from zsgate.cli.options import add_places, settings_of, shelf_of


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add ``list``, ``check``, ``fetch``, ``path`` and ``mirror``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    listing = verbs.add_parser("list", help="the datasets of the catalogue, and which are here")
    listing.set_defaults(run=show_list)

    checking = verbs.add_parser("check", help="what a file holds, what is wrong with it and what to type")
    checking.add_argument("file", type=Path, help=".h5ad or .zarr")
    for role, about in (("label", "cell types"), ("batch", "batches"), ("donor", "donors"), ("counts", "raw counts")):
        checking.add_argument(f"--{role}", help=f"where the file keeps its {about}")
    checking.add_argument("--json", action="store_true", help="the same for programs")
    checking.set_defaults(run=show_check)

    fetching = verbs.add_parser("fetch", help="download a dataset's files into the cache")
    pathing = verbs.add_parser("path", help="where a dataset's files are, one a line; downloads nothing")
    mirroring = verbs.add_parser("mirror", help="copy datasets' files into a folder for machines without a network")
    mirroring.add_argument("folder", type=Path)
    for verb, run, names in ((fetching, fetch, "+"), (pathing, show_path, "+"), (mirroring, mirror, "*")):
        verb.add_argument("names", metavar="NAME", nargs=names, help="a dataset, or a tier: quick, pr, full")
        verb.set_defaults(run=run)
    for verb in (listing, fetching, pathing, mirroring):
        add_places(verb)


def show_list(given: argparse.Namespace) -> int:
    """Print one line a dataset: name, cells, labels, batches, whether it is here, where it comes from."""
    from zsgate.data.catalogue.cards import CARDS

    shelf = shelf_of(given)
    rows: list[tuple[str, ...]] = [("name", "cells", "labels", "batches", "", "source")]
    for card in CARDS.values():
        numbers = (card.quick or card.n_cells, card.n_labels, card.n_batches)
        here = all(shelf.find(card, file) for file in card.files)
        rows.append((card.name, *map(_shown, numbers), "here" if here else "to fetch", card.source))
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    for name, *middle, source in rows:
        columns = [f"{text:>{width}}" for text, width in zip(middle, widths[1:], strict=True)]
        print(f"{name:{widths[0]}}  {'  '.join(columns)}  {source}")
    return 0


def show_check(given: argparse.Namespace) -> int:
    """Print what the file holds and what is wrong; 1 if it cannot be judged on as it is, damaged files included."""
    import json
    from dataclasses import asdict

    from zsgate.data.annotations import Columns
    from zsgate.data.check import check_file

    named = {role: getattr(given, role) for role in ("label", "batch", "donor", "counts")}
    found = check_file(given.file, Columns(**named, not_labels=settings_of(given).not_labels))
    print(json.dumps(asdict(found), indent=2) if given.json else found)
    return 0 if found.usable else 1


def fetch(given: argparse.Namespace) -> int:
    """Download what is missing and print where it is."""
    from zsgate.data.catalogue.cards import card_of

    shelf = shelf_of(given)
    for name in _names(given.names):
        for path in shelf.files(card_of(name)).values():
            print(path)
    return 0


def show_path(given: argparse.Namespace) -> int:
    """Print where the files are; 1 if one is not here."""
    from zsgate.data.catalogue.cards import card_of

    shelf, missing = shelf_of(given), 0
    for name in _names(given.names):
        card = card_of(name)
        for file in card.files:
            place = shelf.find(card, file)
            missing += place is None
            print(place or f"{file.name} is not here: zsgate data fetch {name}")
    return 1 if missing else 0


def mirror(given: argparse.Namespace) -> int:
    """Copy the files of the datasets, all that are not packaged if none is named, and print where they are."""
    from zsgate.data.catalogue.cards import card_of
    from zsgate.data.catalogue.files import copy_to_mirror

    for name in _names(given.names or ["full"]):
        card = card_of(name)
        if any(file.package for file in card.files):
            print(f"{name} comes with the package {card.files[0].package}: it needs no mirror")
            continue
        for path in copy_to_mirror(shelf_of(given), card, given.folder):
            print(path)
    return 0


def _names(given: list[str]) -> list[str]:
    """Return names with tiers spelled out, each once."""
    from zsgate.data.catalogue.tiers import TIERS

    return list(dict.fromkeys(name for one in given for name in TIERS.get(one, (one,))))


def _shown(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
