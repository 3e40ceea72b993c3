"""Bytes of files changed at random: some of them, the structures of HDF5 among them, or the end cut off."""

from __future__ import annotations

import random
import re
from pathlib import Path

STRUCTURES = rb"TREE|HEAP|SNOD|OHDR|GCOL|FRHP|BTHD|PAR1|NUMPY|PK\x03\x04|PK\x01\x02"  # beginnings of parts of formats


def changed(content: bytes, generator: random.Random) -> bytes:
    """Return a content with some bytes changed, half of the time in structures of its format, or cut off."""
    if not content:
        return bytes([generator.randrange(256)])
    if generator.random() < 0.2:
        return content[: generator.randrange(len(content))]
    spoilt = bytearray(content)
    starts = [match.start() for match in re.finditer(STRUCTURES, content)] or [0]
    for _ in range(generator.choice((1, 2, 5, 20))):
        place = generator.randrange(len(spoilt))
        if generator.random() < 0.5:
            place = min(len(spoilt) - 1, generator.choice(starts) + generator.randrange(4, 120))
        spoilt[place] = generator.choice((0, 1, 255, generator.randrange(256)))
    return bytes(spoilt)


def change_file(path: Path, generator: random.Random) -> None:
    """Change bytes of a file."""
    path.write_bytes(changed(path.read_bytes(), generator))


def change_folder(path: Path, generator: random.Random) -> None:
    """Change, cut off or remove one of the files in a folder."""
    inside = sorted(each for each in path.rglob("*") if each.is_file())
    chosen = generator.choice(inside)
    if generator.random() < 0.2:
        chosen.unlink()
    else:
        change_file(chosen, generator)
