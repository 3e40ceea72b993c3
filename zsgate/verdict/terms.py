"""Terms: what a verdict must reach to pass, the names that its sentence says, and the signal that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from zsgate.verdict.score import Score

POLICIES = ("beats", "noninferior", "point")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one test asks of a difference.

    Attributes
    ----------
    policy
        ``"beats"`` passes only that outcome, ``"noninferior"`` a lower end of the interval above -margin, ``"point"`` a
        bare difference above the margin.
    margin
        Under ``beats`` the interval must lie above it, under ``noninferior`` above its negative.
    threshold
        What our own value must reach as well, whatever the baseline has; None asks for nothing.
    paired
        False adds the variances of both scores, for scores on other cells; a weaker test.
    exchangeable
        Whether ours, if it is worth nothing, is one more draw of theirs, as a model that learnt nothing is among its
        untrained twins: then the spread of one draw joins the variance of their mean, s**2 (1 + 1/S).

    Raises
    ------
    ValueError
        If the policy is unknown.
    """

    policy: str = "beats"
    margin: float = 0.0
    threshold: float | None = None
    paired: bool = True
    exchangeable: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown policy."""
        if self.policy not in POLICIES:
            msg = f"unknown policy {self.policy!r} (known: {', '.join(POLICIES)})"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names in a verdict's sentence.

    Attributes
    ----------
    model, baseline, dataset
        Who is compared with whom, and on which cells.
    """

    model: str = "ours"
    baseline: str = "theirs"
    dataset: str = ""


class Signal(NamedTuple):
    """Two scores that show whether an embedding knows cell types at all: the first must beat the second.

    Attributes
    ----------
    ours
        Score of the embedding.
    shuffled
        Score of its own rows in random order.
    """

    ours: Score
    shuffled: Score


class Floor(NamedTuple):
    """Two scores that show whether batches are mixed at the cost of cell types: the first must not be inferior.

    Attributes
    ----------
    ours, theirs
        How well the embedding separates cell types, and how well the baseline does.
    """

    ours: Score
    theirs: Score


FLOOR_MARGIN = 0.05  # by which types may be separated worse than by the baseline
Proviso = Signal | Floor


USUAL = Terms()
UNNAMED = Names()
