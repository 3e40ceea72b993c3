"""What a process of its own costs a candidate: from the start to its card, and to the rows of 16 cells.

    python -m benchmarks.start_up

Each model embeds nothing worth the name, so what is measured is what comes before and around it.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from zsgate.data.catalogue.load import load as load_dataset
from zsgate.models.worker.launch import Place, launch, launch_command

TIMES = 5
MODEL = "def embed(adata):\n    return adata.X[:, :20].toarray()\n"
COMMAND = "from zsgate_worker import serve\nserve(lambda cells: cells.counts[:, :20].toarray())\n"


def main() -> None:
    """Print the fastest of several starts of each kind."""
    import shutil
    import sys

    from zsgate.models.worker import zsgate_worker

    cells = load_dataset("pancreas_quick")
    some = cells.subset(np.arange(16))
    folder = Path(tempfile.mkdtemp())
    (folder / "bare.py").write_text(MODEL)
    (folder / "worker.py").write_text(COMMAND)
    shutil.copy(zsgate_worker.__file__, folder)
    place = Place(folder=folder)
    kinds = {
        "pkg.mod:attr": lambda: launch("bare:embed", place),
        "command": lambda: launch_command("mine", place, {"command": f"{sys.executable} worker.py"}),
    }
    for kind, start in kinds.items():
        found = []
        for _ in range(TIMES):
            before, began = _spent(), time.perf_counter()
            worker = start()
            said = time.perf_counter() - began
            worker.embed(some)
            first = time.perf_counter() - began
            worker.embed(cells)
            whole = time.perf_counter() - began
            worker.close()
            found.append((said, first, whole, _spent() - before))
        fastest = [min(column) for column in zip(*found, strict=True)]
        print(kind, "card {:.2f} s, rows of 16 cells {:.2f} s, of 1,500 {:.2f} s, CPU {:.2f} s".format(*fastest))
    shutil.rmtree(folder)


def _spent() -> float:
    """Return the CPU time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
