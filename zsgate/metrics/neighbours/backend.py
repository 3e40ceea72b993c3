"""Backend: where the pass over all pairs is computed."""

from __future__ import annotations


class Backend:
    """The device of the pass.

    Attributes
    ----------
    device
        ``"cpu"``, as at first, or ``"cuda"``; scores agree to about 1e-7, so it is part of no key.
    """

    def __init__(self) -> None:
        self.device = "cpu"

    def leave(self) -> None:
        """Compute on the CPU again."""
        self.device = "cpu"


BACKEND = Backend()
