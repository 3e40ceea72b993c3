"""Contents: what a page has, in its order, and the rules by which its filter hides what was not asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zsgate.report.record.background import Provenance
from zsgate.report.record.run import Record


def entries(record: Record, datasets: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    """Yield (anchor, title) of each part of the page of a record.

    Parameters
    ----------
    record
        What the page shows.
    datasets
        Those that have a part of their own, by its number.
    """
    yield "matrix", "Verdicts"
    for number, name in datasets.items():
        yield f"dataset-{number}", name
    parts = (
        ("reading", "How to read this", datasets),
        ("failures", "Tests without a verdict", record.failures),
        ("controls", "Controls", record.controls),
        ("checks", "Candidate checks", record.checks),
        ("waivers", "Waivers", record.waivers),
        ("untested", "Not tested", record.not_tested),
        ("metrics", "Metrics", record.metrics),
        ("model", "Model", record.model_card),
        ("datasets", "Datasets", record.datasets),
        ("baselines", "Baselines", record.baselines),
        ("timings", "Timings", record.timings),
        ("run", "This run", record.recipe.settings or record.provenance != Provenance()),
    )
    yield from ((anchor, title) for anchor, title, held in parts if held)


def rules(n_datasets: int) -> str:
    """Return the style rules of the filter: which part a chosen dataset leaves, no script needed.

    Parameters
    ----------
    n_datasets
        How many datasets the page has.
    """
    return "\n".join(
        f"body:has(#of-{place}:checked) .of:not(.of-{place}) {{ display: none; }}" for place in range(1, n_datasets + 1)
    )
