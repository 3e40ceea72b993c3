"""The models: what can be judged by name, and whether a model keeps the contract of an adapter."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

HEADINGS = ("model", "runs", "code", "weights", "tokens", "forward", "end to end", "published weights")


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``check``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="the models, one a line: licences, and what a test shows of each")
    listing.set_defaults(run=show_list)
    check = verbs.add_parser("check", help="try the contract of an adapter on a model, in a process of its own")
    check.add_argument("model", metavar="NAME|pkg.mod:attr")
    check.add_argument("--weights", help="folder of its weights")
    check.add_argument("--gpu", action="store_true", help="run it on CUDA")
    check.add_argument("--offline", action="store_true", help="touch no network")
    check.add_argument("--cache", help="folder of what is kept")
    check.set_defaults(run=check_model)


def show_list(_: argparse.Namespace) -> int:
    """Print one line a model."""
    rows = [HEADINGS, *_rows()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _rows() -> Iterator[tuple[str, ...]]:
    """Yield what the table says of each model."""
    from zsgate.baselines.classical import CLASSICAL
    from zsgate.models.pretrained.checkpoints import TABLE

    yield "cellama", "here", "CC BY-NC-ND 4.0 (not used)", "Apache-2.0", "yes", "yes", "yes", "yes"
    for family in TABLE:
        shown = family.verified.tokens, family.verified.forward, family.verified.end_to_end, family.verified.published
        words = tuple("yes" if each else "no" for each in shown)
        for each in family.checkpoints:
            yield each.name, "here", each.code_licence, each.weights_licence, *words
        yield f"{family.name} --weights DIR", "here", "yours", "yours", *words
    for name in CLASSICAL:
        yield name, "here", "BSD-3-Clause", "none", *["-"] * 4


def check_model(given: argparse.Namespace) -> int:
    """Print what of the contract a model keeps, and return 1 if it breaks any of it.

    Raises
    ------
    UsageProblem
        If it cannot be loaded.
    """
    from zsgate.cli.options import settings_of
    from zsgate.run.before.loading import load_model
    from zsgate.run.ledger import Ledger
    from zsgate.system.cache import find_folder
    from zsgate.system.store import Store
    from zsgate.testing import check_contract

    config = settings_of(given)
    folder = find_folder(config.cache)
    ledger = Ledger(Store(folder), Store(folder / "runs" / "check"))
    weights = Path(given.weights).expanduser() if given.weights else None
    model = load_model(given.model, config, Path.cwd(), ledger, weights=weights)
    try:
        found = check_contract(model)
    finally:
        getattr(model, "close", lambda: None)()
        ledger.scratch.clear()
    for what, outcome, why in found:
        print(f"{outcome:7}  {what}" + (f"\n         {' '.join(why.split())[:300]}" if why else ""))
    failed = sum(outcome == "failed" for _, outcome, _ in found)
    print(f"{given.model}: {'keeps the contract' if not failed else f'{failed} of {len(found)} do not hold'}")
    return int(failed > 0)
