"""Stores that are only asked, so that what a run will do is known without doing any of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from zsgate.system.store import Arrays, Store, Values


class Absent(LookupError):
    """What was looked up is not kept."""


class Lookup(Store):
    """A store that gives what is kept and makes nothing: what is absent raises :class:`Absent`."""

    makes_nothing = True

    def json(self, kind: str, key: Mapping[str, object], compute: Callable[[], Any]) -> Any:
        """Return the value kept under ``key``."""
        return super().json(kind, key, self._refuse)

    def arrays(
        self,
        kind: str,
        key: Mapping[str, object],
        compute: Callable[[], tuple[Arrays, Mapping[str, object]]],
        about: Mapping[str, object] | None = None,
    ) -> Values:
        """Return (arrays, notes) kept under ``key``."""
        return super().arrays(kind, key, self._refuse, about)

    @staticmethod
    def _refuse() -> Any:
        raise Absent


class ReadOnly(Store):
    """A store that gives what is kept, and of what is made keeps nothing: for who lists tests only."""

    makes_nothing = True

    def _lock(self, path: Path, held: ExitStack) -> bool:
        """Return that nothing can be kept."""
        return False
