"""The ways a run can go wrong, told apart because each has its own exit code."""

from __future__ import annotations


class UsageProblem(ValueError):
    """The user's arguments or data cannot be used: exit 4, said before anything runs."""


class CandidateFailed(AssertionError):
    """The candidate's own output is unusable: its tests fail, exit 1."""


class BaselineFailed(RuntimeError):
    """A baseline could not be computed: the gate itself broke, exit 3."""
