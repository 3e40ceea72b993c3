"""Spoilt files for tests of what reads them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from zsgate.errors import UsageProblem


def refusals(read: Callable[[Path], object], path: Path, content: bytes, times: int) -> list[str]:
    """Return what is said of the content cut off and with some bytes changed, in turns; nothing if it can be read."""
    generator, said = random.Random(1), []
    for attempt in range(times):
        spoilt = bytearray(content[: generator.randrange(1, len(content))] if attempt % 2 else content)
        for _ in range(0 if attempt % 2 else generator.choice((1, 3, 10))):
            spoilt[generator.randrange(len(spoilt))] = generator.randrange(256)
        path.write_bytes(spoilt)
        try:
            read(path)
        except UsageProblem as problem:
            said.append(str(problem))
    return said
