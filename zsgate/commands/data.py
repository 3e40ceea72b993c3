"""The datasets to judge on: what there is."""

from __future__ import annotations

import argparse


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add ``list``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="the datasets of the catalogue")
    listing.set_defaults(run=show_list)


def show_list(_: argparse.Namespace) -> int:
    """Print one line a dataset: its name and where it comes from."""
    from zsgate.fixtures.catalogue import CATALOGUE

    width = max(map(len, CATALOGUE))
    for name, card in CATALOGUE.items():
        print(f"{name:{width}}  {card.facts['source']}")
    return 0
