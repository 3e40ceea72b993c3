"""Reads mutants of a file of cells, and prints what came of each: ``python mutants.py FILE FOLDER HOW_MANY``.

A process of its own, because what is tested is whether it survives.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

from zsgate.data.annotations import Columns
from zsgate.data.check import check_file
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem
from zsgate.models.precomputed.adapter import Precomputed

STRUCTURES = rb"TREE|HEAP|SNOD|OHDR|GCOL|FRHP|BTHD"  # what HDF5's own parts begin with


def mutate(content: bytes, generator: random.Random) -> bytes:
    """Return the content with some bytes changed, half of the time in the structures of HDF5, or cut off."""
    changed = bytearray(content)
    starts = [match.start() for match in re.finditer(STRUCTURES, content)]
    for _ in range(generator.choice((1, 2, 5, 20))):
        place = generator.randrange(len(changed))
        if generator.random() < 0.5:
            place = min(len(changed) - 1, generator.choice(starts) + generator.randrange(4, 120))
        changed[place] = generator.choice((0, 1, 255, generator.randrange(256)))
    return bytes(changed if generator.random() < 0.9 else changed[: generator.randrange(len(changed))])


def main(file: Path, folder: Path, n_mutants: int) -> None:
    """Print a line a mutant: refused, same or different."""
    content, columns = file.read_bytes(), Columns(label="cell_type", batch="batch", donor="donor")
    whole = read_h5ad(file, "cells", columns)
    for number in range(n_mutants):
        path = folder / f"{number}.h5ad"
        path.write_bytes(mutate(content, random.Random(number)))
        said = []
        for read in (
            lambda path=path: read_h5ad(path, "cells", columns).digest,
            lambda path=path: str(check_file(path, columns)) and "checked",
            lambda path=path: Precomputed(path).embed(whole).tobytes() and "embedded",
        ):
            try:
                found = read()
                said.append({whole.digest: "same"}.get(found, found if len(found) < 64 else "different"))
            except UsageProblem as problem:
                said.append("refused" if "\n" not in str(problem) else "several_lines")
        sys.stdout.write(f"{number} {' '.join(said)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
