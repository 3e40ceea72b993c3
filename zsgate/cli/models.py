"""The models: what can be judged by name, and whether a model keeps the contract of an adapter."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

HEADINGS = ("model", "runs", "code", "weights", "tokens", "forward", "end to end", "published weights")


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add ``list``, ``check``, ``setup`` and ``worker``."""
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
    setup = verbs.add_parser("setup", help="make the environment of a model that needs one of its own")
    setup.add_argument("name", metavar="NAME")
    setup.add_argument("--cache", help="folder of what is kept")
    setup.set_defaults(run=set_up)
    worker = verbs.add_parser("worker", help="write zsgate_worker.py, which serves a model from another environment")
    worker.add_argument("folder", metavar="DIR", nargs="?", default=".", help="where to (default: here)")
    worker.set_defaults(run=write_worker)


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
    yield from _rows_apart()
    for name in CLASSICAL:
        yield name, "here", "BSD-3-Clause", "none", *["-"] * 4


def _rows_apart() -> Iterator[tuple[str, ...]]:
    """Yield what the card says of each model that has an environment of its own."""
    from zsgate.cli.options import settings_of
    from zsgate.models.environments.environment import environments
    from zsgate.system.cache import find_folder

    runs = {"built": "apart", "outdated": "after setup", "absent": "after setup", "impossible": "not yet"}
    for each in environments(find_folder(settings_of(argparse.Namespace()).cache)).values():
        shown = each.card.verified
        words = ("yes" if said else "no" for said in (shown.tokens, shown.forward, shown.end_to_end, shown.published))
        yield each.name, runs[each.state], each.card.code_licence, each.card.weights_licence, *words


def set_up(given: argparse.Namespace) -> int:
    """Make a model's environment, and print how it is used.

    Raises
    ------
    UsageProblem
        If no model of that name has one, or it cannot be made here.
    MachineFailed
        If an installer fails.
    """
    from zsgate.cli.options import settings_of
    from zsgate.models.environments.build import build
    from zsgate.models.environments.environment import find_environment
    from zsgate.system import cache

    config = settings_of(given)
    folder = cache.find_folder(config.cache)
    environment = find_environment(given.name, folder)
    cache.prepare(folder, shared=config.cache_shared)
    fresh = build(environment)
    print(f"{environment.place}: {'made' if fresh else 'is there already'}")
    print(f"pytest --model={environment.name} --weights DIR judges it; DIR must hold {environment.card.files}")
    return 0


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


def write_worker(given: argparse.Namespace) -> int:
    """Write the file that a model's own environment needs.

    Raises
    ------
    UsageProblem
        If it cannot be written.
    """
    import shutil

    from zsgate.errors import UsageProblem
    from zsgate.models.worker import zsgate_worker

    folder = Path(given.folder).expanduser()
    try:
        print(shutil.copy(zsgate_worker.__file__, folder / "zsgate_worker.py"))
    except OSError as error:
        msg = f"{folder}: cannot write there ({error.strerror or error})"
        raise UsageProblem(msg) from None
    return 0
