"""The metrics: what there is, and the card of each."""

from __future__ import annotations

import argparse


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``show``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="the metrics, one a line")
    listing.set_defaults(run=show_list)
    card = verbs.add_parser("show", help="what a metric measures, and how it is known to fail")
    card.add_argument("name", metavar="NAME")
    card.set_defaults(run=show_card)


def show_list(_: argparse.Namespace) -> int:
    """Print one line a metric: its name, what its verdict does, and what it measures."""
    from zsgate.metrics import EVERY

    width = max(map(len, EVERY))
    for name, metric in EVERY.items():
        role = "on request" if metric.on_request else "advisory" if metric.advisory else "decides"
        print(f"{name:{width}}  {role:10}  {metric.card.partition(':')[0].partition('.')[0]}")
    return 0


def show_card(given: argparse.Namespace) -> int:
    """Print the card of a metric.

    Raises
    ------
    UsageProblem
        If there is none of that name.
    """
    import textwrap

    from zsgate.errors import UsageProblem, unknown
    from zsgate.metrics import EVERY

    if given.name not in EVERY:
        raise UsageProblem(unknown("metric", given.name, tuple(EVERY)))
    metric = EVERY[given.name]
    better = "higher" if metric.higher_is_better else "lower"
    role = "advisory, unless required" if metric.advisory else "decides the run"
    asked = "; computed on request (--metrics or --require)" if metric.on_request else ""
    needs = f"; needs the package {metric.package}" if metric.package else ""
    print(f"{metric.name}: {better} is better; {role}{asked}{needs}\n")
    print(textwrap.fill(metric.card, 100))
    return 0
