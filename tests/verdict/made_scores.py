"""Made scores: of the same ten donors, by the silhouette."""

from __future__ import annotations

from hypothesis import strategies as st

from zsgate.verdict.score import Score

DONORS = tuple(f"donor {letter}" for letter in "ABCDEFGHIJ")


def score(value, leave_outs=(), *, draws=None, **rest):
    """Return a score on DONORS, one for each leave-out."""
    units = rest.pop("units", DONORS[: len(leave_outs)])
    return Score("asw", value, tuple(draws or [value]), tuple(leave_outs), units, **rest)


ZERO = score(0.0, [0.0] * 8)
OURS = score(0.5, [0.50, 0.52, 0.47, 0.51, 0.55, 0.49, 0.50, 0.46])
THEIRS = score(0.4, [0.41, 0.40, 0.39, 0.40, 0.42, 0.38, 0.40, 0.40])
HALVES = ((0.60, 0.40), (0.50, 0.52), (0.45, 0.55), (0.50, 0.50))
FLAT = ((0.40, 0.40),) * 4

values = st.floats(-1, 1)
pairs = st.integers(6, 10).flatmap(
    lambda n: st.tuples(*[st.tuples(values, st.lists(values, min_size=n, max_size=n))] * 2)
)
