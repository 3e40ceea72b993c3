"""Failed: how a worker did not do what it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]


class WorkerFailed(Exception):
    """A worker did not do what it was asked.

    Parameters
    ----------
    words
        What happened, as a sentence goes on behind the name of the model.
    log
        The last lines that it wrote to standard error.
    """

    def __init__(self, words: str, log: Sequence[str] = ()) -> None:
        super().__init__(words)
        self.words = words
        if log:
            self.add_note("\n".join([f"The last {len(log)} lines of its log:", *(f"  {line}" for line in log)]))


class WorkerEnded(WorkerFailed):
    """Its process ended before it had answered."""


class WorkerReported(WorkerFailed):
    """It said itself what failed.

    Attributes
    ----------
    told
        ``message`` in one line, ``type`` of the error and its ``text``, and ``retry``: ``"smaller_batch"`` or None.
    """

    def __init__(self, told: Message, log: Sequence[str]) -> None:
        super().__init__(str(told.get("message", "it failed and did not say how")), log)
        self.told = told
