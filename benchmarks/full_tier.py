"""The full tier at its real size: a gate of a model whose embeddings are at hand, on made files of the paper's sizes.

    python -m benchmarks.full_tier --folder FOLDER [--only NAME ...]

Writes five files as large as those of the paper (``benchmarks.made``; some gigabytes) and an embedding of 512
dimensions for each, runs the gate on them as a user would, with an empty store, and prints what each step took. What is
in the folder already is used again, but for the store.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.made import Structure, write
from zsgate.data.catalogue.load import load

# cells, genes, types, batches and donors as the paper's files have them; genes no more than there are real ones
STRUCTURES = (
    Structure("pancreas_sized", 16_382, 15_616, 14, 6, None),
    Structure("pbmc_12k_sized", 11_990, 3_346, 9, 2, None),
    Structure("pbmc_95k_sized", 94_655, 15_616, 10, 1, None),
    Structure("immune_sized", 329_762, 15_616, 45, 31, 12),
    Structure("tabula_sapiens_sized", 483_152, 15_616, 24, 27, 15),
)
DIMENSIONS = 512


def embed(path: Path, folder: Path) -> None:
    """Write an embedding of all cells of a file: a centre for each type and a smaller one for each batch, and noise."""
    target = folder / f"{path.stem}.npy"
    if target.exists():
        return
    generator = np.random.default_rng(0)
    with h5py.File(path) as file:
        codes = [file["obs"][column]["codes"][:] for column in ("cell_type", "batch")]
    centres = [
        scale * generator.normal(size=(each.max() + 1, DIMENSIONS))
        for each, scale in zip(codes, (0.5, 0.2), strict=True)
    ]
    rows = np.lib.format.open_memmap(target.with_suffix(".part"), "w+", np.float32, (len(codes[0]), DIMENSIONS))
    for start in range(0, len(rows), 20_000):
        part = slice(start, start + 20_000)
        of_codes = sum(centre[each[part]] for centre, each in zip(centres, codes, strict=True))
        rows[part] = of_codes + generator.standard_normal(rows[part].shape, dtype=np.float32)
    rows.flush()
    (folder / f"{path.stem}.ids.txt").write_text("".join(f"cell{index}\n" for index in range(len(rows))))
    target.with_suffix(".part").rename(target)


def settings(structures: list[Structure], folder: Path) -> str:
    """Return the pyproject.toml of the run."""
    lines = []
    for each in structures:
        lines += [f"[tool.zsgate.datasets.{each.name}]", f'path = "{folder / each.name}.h5ad"', 'label = "cell_type"']
        lines += ['batch = "batch"', 'counts = "X"']
        lines += ['donor = "donor"'] if each.n_donors else ['scope = "cells"']
    return "\n".join(lines) + "\n"


def gate(folder: Path, seeds: int) -> tuple[dict[str, Any], float]:
    """Run the gate with an empty store and so many trainings of scVI; return its record and the seconds it took."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"--model={folder / 'embeddings'}",
        f"--report={folder / 'report'}",
        f"--seeds={seeds}",
    ]
    command += [f"--cache={folder / 'cache'}", "-q", "--tb=line", "-p", "no:cacheprovider"]
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=os.environ | {"CI": "1"}, check=False)
    seconds = time.monotonic() - started
    if done.returncode not in (0, 1):
        msg = f"the gate reached no verdict: exit {done.returncode}"
        raise SystemExit(msg)
    record: dict[str, Any] = json.loads((folder / "report" / "verdict.json").read_text())
    return record, seconds


def table(record: dict[str, Any], seconds: float) -> Iterator[str]:
    """Yield the rows: a step on each dataset, in seconds."""
    names = [each["name"] for each in record["datasets"]]
    took: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in record["timings"]:
        took[each["what"].replace(each["dataset"], "").strip()][each["dataset"]] += each["seconds"]
    yield "| step | " + " | ".join(names) + " | together |"
    yield "|---|" + "---|" * (len(names) + 1)
    for what, of in took.items():
        yield f"| {what} | " + " | ".join(f"{of[name]:.0f}" for name in names) + f" | {sum(of.values()):.0f} |"
    steps = sum(sum(of.values()) for of in took.values())
    yield f"| the rest: scores, verdicts, page | {' | ' * len(names)}{seconds - steps:.0f} |"
    yield f"| all of it | {' | ' * len(names)}{seconds:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--make", action="store_true", help="make the files and stop")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    (folder / "embeddings").mkdir(parents=True, exist_ok=True)
    structures = [each for each in STRUCTURES if not asked.only or each.name in asked.only]
    real = load("pancreas_quick")
    for each in structures:
        started = time.monotonic()
        path = write(each, real, folder)
        embed(path, folder / "embeddings")
        print(f"{path.name}: {path.stat().st_size / 1e9:.1f} GB, {time.monotonic() - started:.0f} s", flush=True)
    if asked.make:
        return
    (folder / "pyproject.toml").write_text(settings(structures, folder))
    record, seconds = gate(folder, asked.seeds)
    print("\n".join(table(record, seconds)))
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{children.ru_utime + children.ru_stime:.0f} CPU-s, {children.ru_maxrss / 1e6:.1f} GB in the largest process"
    )
    print(f"{len(record['verdicts'])} verdicts, {len(record['controls'])} controls, gate {record['gate']}")


if __name__ == "__main__":
    main()
