"""Waiver: a test that may fail for a while: by whom, why, how far and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from zsgate.errors import UsageProblem
from zsgate.pattern import check_keys, matches, number

KEYS = ("match", "reason", "owner", "expires", "max_deficit")
NEEDLESS = "no longer needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One ``[[tool.zsgate.waiver]]``; every key is needed.

    Attributes
    ----------
    match
        The tests it is for; see :func:`zsgate.pattern.matches`.
    reason, owner
        Why, and who answers for it.
    expires
        Last day on which it holds.
    max_deficit
        How far the candidate may be behind the baseline, in units of the metric.
    """

    match: str
    reason: str
    owner: str
    expires: date
    max_deficit: float

    @classmethod
    def of(cls, table: Any) -> Self:
        """Return the waiver that a table of pyproject.toml states.

        Raises
        ------
        UsageProblem
            If a key is missing or unknown, the date is none, or the deficit is no number from 0 on.
        """
        table = check_keys(table, required=KEYS)
        deficit = number(table, "max_deficit", 0, 1e9)
        assert deficit is not None
        return cls(
            match=table["match"],
            reason=table["reason"],
            owner=table["owner"],
            expires=_day(table["expires"], table["match"]),
            max_deficit=deficit,
        )

    def objection(self, difference: float, today: date) -> str:
        """Return why this waiver does not cover a test with that difference, or an empty string.

        Parameters
        ----------
        difference
            Ours minus theirs, positive where ours is better; NaN is never covered.
        today
            The day of the run.
        """
        if today > self.expires:
            return f"the waiver {self.match!r} of {self.owner} expired on {self.expires}"
        if not -difference <= self.max_deficit:
            return f"behind by {-difference:.3f}, more than the {self.max_deficit:g} that {self.owner} waived"
        return ""

    def as_dict(self) -> dict[str, Any]:
        """Return builtins only."""
        return {key: getattr(self, key) for key in KEYS} | {"expires": self.expires.isoformat()}


def _day(value: Any, match: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        msg = f"expires of {match!r} must be a day such as 2027-01-31, not {value!r}"
        raise UsageProblem(msg) from None


def reviewed(
    waivers: Sequence[Waiver], verdicts: Sequence[Mapping[str, Any]], today: date, *, whole: bool
) -> list[dict[str, Any]]:
    """Return each waiver with what became of it.

    ``state`` is ``"in force"``, ``"expired"`` or ``"exceeded"`` where a test it names does not pass, ``"no longer
    needed"`` where all of them pass, ``"not tested"`` where none was judged. Of a selection of tests nobody can say
    that a waiver is not needed: its state is then ``"not needed by what was selected"``.

    Parameters
    ----------
    waivers
        Those of pyproject.toml.
    verdicts
        As verdict.json holds them.
    today
        The day of the run.
    whole
        Whether nothing was left out by ``-k`` and the like.
    """
    return [{**waiver.as_dict(), **_review(waiver, verdicts, today, whole=whole)} for waiver in waivers]


def _review(waiver: Waiver, verdicts: Sequence[Mapping[str, Any]], today: date, *, whole: bool) -> dict[str, Any]:
    named = [
        verdict
        for verdict in verdicts
        if not verdict["advisory"]
        and matches(waiver.match, *(verdict[key] for key in ("dataset", "baseline", "metric")))
    ]
    waived = [verdict for verdict in named if (verdict["waiver"] or {}).get("match") == waiver.match]
    failing = [verdict for verdict in named if not verdict["passed"] and verdict["waiver"] is None]
    if failing:
        state = "expired" if today > waiver.expires else "exceeded"
    elif waived:
        state = "in force"
    elif not named:
        state = "not tested"
    else:
        state = NEEDLESS if whole else "not needed by what was selected"
    return {"state": state, "tests": len(waived)}
