"""Averages: the form of what predictions are compared with; the baselines fill it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from zsgate.metrics.cells import Floats
from zsgate.metrics.reconstruction.ranks import RankTally
from zsgate.metrics.reconstruction.values import ValueTally, Weight


class ValueAverage(Protocol):
    """An average of values in a prediction's place."""

    def __call__(self, tally: ValueTally, weight: Weight, *, in_sample: bool) -> list[float]:
        """Return its squared error, over everybody, without each unit, and with all units weighing the same."""
        ...


class RankAverage(Protocol):
    """An average of ranks in a prediction's place."""

    def __call__(self, tally: RankTally, weight: Weight, *, in_sample: bool) -> dict[str, list[float]]:
        """Return the same columns of each statistic."""
        ...


@dataclass(frozen=True, slots=True)
class Averages:
    """What predictions are compared with, each fitted from what the model's own windows left.

    Attributes
    ----------
    values, ranks
        By name, for predicted values and for predicted ranks.
    gene_errors
        Gives the squared error of each gene's mean, summed over its scored entries, (n_genes,), for the figures.
    """

    values: Mapping[str, ValueAverage]
    ranks: Mapping[str, RankAverage]
    gene_errors: Callable[[ValueTally], Floats]
