"""Metrics of reconstruction: how well a model says what it was pretrained to say, of genes shown and of genes hidden.

>>> from zsgate.metrics.reconstruction.metric import mse_gep
>>> mse_gep(candidate.reconstruct(dataset)).value  # doctest: +SKIP
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from zsgate.metrics.metric import Claim
from zsgate.metrics.reconstruction.result import Side
from zsgate.models.reconstruction import Scale
from zsgate.verdict.score import Score

VALUES: tuple[Scale, ...] = ("bin", "counts", "lognorm")
RANKS: tuple[Scale, ...] = ("rank",)


@dataclass(frozen=True)
class ReconstructionMetric:
    """A metric of predicted genes, called as ``metric(side)``.

    Attributes
    ----------
    name
        Short name, also ``__name__``.
    card
        Definition, range, orientation and known failures; the report shows it.
    statistic
        Name without the share of hidden genes; also the head it reads, behind ``mse_``.
    scales
        Scales of predictions it is defined on.
    masked
        Share of each cell's genes that are hidden; only these are scored, or all where it is 0.
    higher_is_better
        Orientation.
    advisory
        Whether its verdict is shown and does not decide the run, unless the recipe or the user says so.
    """

    name: str
    card: str
    statistic: str
    scales: tuple[Scale, ...]
    masked: float = 0.0
    higher_is_better: bool = False
    advisory: bool = False
    claim: ClassVar[Claim] = "genes"
    uses_batches: ClassVar[bool] = False
    uses_units: ClassVar[bool] = False
    clusters: ClassVar[bool] = False
    on_request: ClassVar[bool] = False
    package: ClassVar[str] = ""

    @property
    def __name__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<metric {self.name}>"

    @property
    def head(self) -> str:
        """Head of the model that it scores."""
        return self.statistic.removeprefix("mse_") if self.scales is VALUES else "token"

    def __call__(self, side: Side) -> Score:
        """Return the score of one side.

        Raises
        ------
        ValueError
            If the genes were hidden at another share than the metric's.
        """
        result = side.result
        if result.masked != self.masked:
            msg = f"{self.name} is of {100 * self.masked:g} % hidden genes, not of {100 * result.masked:g} %"
            raise ValueError(msg)
        value, *without, balanced = side.columns(self.statistic)
        return Score(
            metric=self.name,
            value=value,
            draws=(value,),
            leave_outs=tuple(without),
            units=result.units,
            unit=result.unit,
            cells=result.cells,
            recipe=str(side.recipe),
            higher_is_better=self.higher_is_better,
            balanced=balanced if math.isfinite(balanced) else None,
            n_effective=result.n_effective,
        )


_SHOWN = (
    "Every gene is shown, as in the paper, so a model that returns its input is perfect: read it beside the same "
    "metric with genes hidden."
)
_HIDDEN = "{:g} % of each cell's genes are hidden, the choice keyed by the cell, and only these are scored."
_ERROR = (
    "Mean squared error of {} on the model's own scale, averaged over a cell's genes and then over cells (recipe "
    "kedzierska2023: over all pairs of cell and gene); 0 is perfect, lower is better. Where a tokeniser draws bins at "
    "random, no model can do better on hidden genes than its noise floor."
)
_HEADS = {
    "gep": "the expression predicted at each gene's position",
    "gepc": "the expression predicted from the cell's embedding and the gene's name",
}
_RANK_CORRELATION = (
    "Pearson correlation of true with predicted ranks in a cell, 1 the highest and 0 the last, over the union of the "
    "cell's genes and those the model names, a missing one having rank 0, averaged over cells (Kedzierska et al. 2025, "
    "code); -1 to 1, higher is better. Earlier definitions by the same authors turned the order of model and baseline."
)
_TOKENS = {
    "token_accuracy": "Share of hidden genes that the model names first; 0 to 1, higher is better. ",
    "token_top10": "Share of hidden genes among the ten that the model finds likeliest; 0 to 1, higher is better. ",
    "token_cross_entropy": "Mean of minus the log-probability of the hidden gene, in nats; 0 is perfect, lower is "
    "better, and one confident mistake can outweigh many hits. ",
}
MASKED = (0.15, 0.4)


def _named(statistic: str, masked: float) -> str:
    return f"{statistic}_m{100 * masked:.0f}" if masked else statistic


def _errors() -> list[ReconstructionMetric]:
    return [
        ReconstructionMetric(
            _named(f"mse_{head}", masked),
            f"{_ERROR.format(what)} {_HIDDEN.format(100 * masked) if masked else _SHOWN}",
            f"mse_{head}",
            VALUES,
            masked,
            advisory=not masked,
        )
        for masked in (0.0, *MASKED)
        for head, what in _HEADS.items()
    ]


def _tokens() -> list[ReconstructionMetric]:
    return [
        ReconstructionMetric(
            _named(statistic, masked),
            card + _HIDDEN.format(100 * masked),
            statistic,
            RANKS,
            masked,
            higher_is_better=statistic != "token_cross_entropy",
            advisory=statistic == "token_top10",
        )
        for masked in MASKED
        for statistic, card in _TOKENS.items()
    ]


rank_correlation = ReconstructionMetric(
    "rank_correlation",
    f"{_RANK_CORRELATION} {_SHOWN}",
    "rank_correlation",
    RANKS,
    higher_is_better=True,
    advisory=True,
)
ERRORS = tuple(_errors())
RANKINGS = (rank_correlation, *_tokens())
RECONSTRUCTION: dict[str, ReconstructionMetric] = {metric.name: metric for metric in (*ERRORS, *RANKINGS)}
mse_gep, mse_gepc = RECONSTRUCTION["mse_gep"], RECONSTRUCTION["mse_gepc"]
