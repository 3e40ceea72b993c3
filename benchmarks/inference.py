"""Time tokenising and embedding against upstream, on the same real cells and random weights, in one run.

    python -m benchmarks.inference --upstream PATH [--tokenizer PATH] [--official FOLDER] [--cells 32]

``--upstream`` is a clone of bowang-lab/scGPT (0.2.5), ``--tokenizer`` one of ctheodoris/Geneformer; transformers gives
Geneformer's BERT. ``--official`` as in ``benchmarks.checkpoints``. Upstream's vocabulary reader takes minutes
and is not timed; its model runs with torch's default fast path and without it. All sides use as many threads and take
turns; ratios are of wall clocks and of processor time, the second being the one to trust on a busy machine.
``--device cuda`` needs nothing else: it prints the cells a second on the GPU at full length, the share of the roofline
of an H100 or H200 beside them, and whether the bars are met.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks import upstream
from benchmarks.checkpoints import make_geneformer, make_scgpt
from zsgate.data.catalogue.load import load
from zsgate.data.dataset import Dataset
from zsgate.models import load as load_model
from zsgate.models.families.geneformer.load import load as load_geneformer
from zsgate.models.families.scgpt.load import load as load_scgpt
from zsgate.models.families.scgpt.tokens import KeyedDraws
from zsgate.testing import some_cells

PEAK = 790e12  # dense bf16 FLOP/s of one H200
REPEATS = 2


class Took(NamedTuple):
    """Seconds on the clock, and of processor time over all threads."""

    wall: float
    cpu: float


def in_turn(calls: dict[str, Callable[[], object]], rounds: int = REPEATS) -> dict[str, Took]:
    """Return the shortest wall and CPU times of calls that take turns, so that a busy machine is busy for all."""
    times: dict[str, list[Took]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            if turn:  # the first one warms up
                times[name].append(Took(time.perf_counter() - wall, time.process_time() - cpu))
    return {name: Took(*map(min, zip(*found, strict=True))) for name, found in times.items()}


def row(what: str, took: Took, n_cells: int, reference: Took | None = None, bar: float | None = None) -> None:
    ratio = wanted = ""
    if reference is not None:
        ratios = reference.wall / took.wall, reference.cpu / took.cpu
        ratio = f"{ratios[0]:6.1f}x {ratios[1]:6.1f}x"
        if bar is not None:
            wanted = f"bar {bar:g}x {'met' if min(ratios) >= bar else 'NOT met'}"
    each = f"{1e3 * took.wall / n_cells:9.3f} ms/cell {1e3 * took.cpu / n_cells:9.3f} CPU-ms/cell"
    print(f"{what:58s} {each} {ratio:>16s}  {wanted}", flush=True)


def long_cells(n_cells: int, n_genes: int) -> Dataset:
    """Return the real cells whose number of genes is nearest to ``n_genes``."""
    whole = load("pancreas_hormone2cell")
    nearest = np.argsort(np.abs(whole.counts.getnnz(axis=1) - n_genes), kind="stable")[:n_cells]
    return whole.subset(np.sort(nearest))


def scgpt_rows(folder: Path, dataset, many, asked) -> None:  # type: ignore[no-untyped-def]
    model = load_scgpt("scgpt_human", weights=folder, device="cpu", dtype="float32")
    columns = model._reader.columns(dataset.symbols)
    n_threads = torch.get_num_threads()
    known = model._reader.columns(many.symbols)
    upstream_tokens, _ = upstream.scgpt(many, known)
    took = in_turn({"up": upstream_tokens, "us": lambda: model._reader(many.counts, known, KeyedDraws(0), n_threads)})
    genes = many.counts.getnnz(axis=1).mean()
    row(f"scGPT tokens, upstream collator ({genes:.0f} genes a cell)", took["up"], many.n_cells)
    row("scGPT tokens, zsgate", took["us"], many.n_cells, took["up"], 10)
    _, upstream_embed = upstream.scgpt(dataset, columns)

    def with_fast_path(on: bool) -> None:
        torch.backends.mha.set_fastpath_enabled(on)
        upstream_embed()

    half = replace(model, dtype=torch.bfloat16)
    calls = {"on": partial(with_fast_path, True), "off": partial(with_fast_path, False)}
    calls |= {"float32": partial(model.embed, dataset), "bfloat16": partial(half.embed, dataset)}
    took = in_turn(calls)
    for state in ("on", "off"):
        row(f"scGPT embed, upstream, fast path {state}", took[state], dataset.n_cells)
    for name, bar in (("float32", 3), ("bfloat16", 8)):
        row(f"scGPT embed, zsgate {name}, against the default fast path", took[name], dataset.n_cells, took["on"], bar)
        row(f"scGPT embed, zsgate {name}, against fast path off", took[name], dataset.n_cells, took["off"])


def geneformer_rows(folder: Path, dataset, many, asked) -> None:  # type: ignore[no-untyped-def]
    model = load_geneformer("geneformer_v1_10m", weights=folder, device="cpu", dtype="float32", cache=folder)
    columns = model.genes.columns(dataset.ensembl, dataset.symbols)
    if asked.tokenizer is not None:
        n_threads = torch.get_num_threads()
        lists, whole = upstream.geneformer_tokens(asked.tokenizer, folder, many)
        known = model.genes.columns(many.ensembl, many.symbols)
        took = in_turn({"lists": lists, "whole": whole, "us": lambda: model._reader(many.counts, known, n_threads)})
        row("Geneformer tokens, upstream, lists in memory", took["lists"], many.n_cells)
        row("Geneformer tokens, upstream, with its dataset", took["whole"], many.n_cells)
        row("Geneformer tokens, zsgate, against lists in memory", took["us"], many.n_cells, took["lists"])
        row("Geneformer tokens, zsgate, against the whole", took["us"], many.n_cells, took["whole"], 10)
    calls = {"up": upstream.bert(model._reader(dataset.counts, columns)), "float32": partial(model.embed, dataset)}
    calls["bfloat16"] = partial(replace(model, dtype=torch.bfloat16).embed, dataset)
    took = in_turn(calls)
    row("Geneformer embed, padded eager BertForMaskedLM", took["up"], dataset.n_cells)
    for name, bar in (("float32", 3), ("bfloat16", None)):
        row(f"Geneformer embed, zsgate {name}", took[name], dataset.n_cells, took["up"], bar)


def gpu_rows(folders: dict[str, Path], many, device: str, n_cells: int = 4096) -> None:  # type: ignore[no-untyped-def]
    """Time full-length cells; FLOP of a token and layer: 8 d² + 4 d f + 4 L d, over the peak of an H100 or H200."""
    for name, layers, wide, bar in (("scgpt_human", 12, 512, 4_000), ("geneformer_v1_10m", 5, 512, 10_000)):
        folder = folders[name]
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        model = load_model(name, weights=folder, device=device, dtype="bfloat16", cache=folder)
        tokens = model._tokeniser(many)(0, many.n_cells)  # type: ignore[attr-defined]
        full = tokens.take(np.repeat(np.argmax(tokens.lengths), n_cells))
        length, d = int(full.lengths[0]), model.info.dimensions
        rate = n_cells / in_turn({"us": partial(run_all, model, full)})["us"].wall
        share = rate * layers * length * (8 * d * d + 4 * d * wide + 4 * length * d) / PEAK
        where = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
        print(f"{name} on {where}: {rate:,.1f} cells/s at {length} tokens, {share:.1%} of the roofline", end="")
        if device == "cuda":
            met, most = "met" if rate >= bar else "NOT met", torch.cuda.max_memory_allocated() / 2**30
            print(f", at most {most:.1f} GiB, bar {bar:,} cells/s {met}", end="")
        print(flush=True)


def run_all(model, tokens) -> None:  # type: ignore[no-untyped-def]
    for _ in model._runner()(tokens, model._cells):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, help="a clone of bowang-lab/scGPT")
    parser.add_argument("--tokenizer", type=Path, help="a clone of ctheodoris/Geneformer")
    parser.add_argument("--official", type=Path)
    parser.add_argument("--cells", type=int, default=32)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: the rates on a GPU, no more")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # upstream's, on its use of torch and pandas
    torch.set_num_threads(asked.threads)
    dataset, many = some_cells(asked.cells), long_cells(512, 2200)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {asked.cells} cells embedded, 512 tokenised")
    with tempfile.TemporaryDirectory() as place:
        folders = {
            "scgpt_human": make_scgpt(Path(place) / "scgpt", asked.official),
            "geneformer_v1_10m": make_geneformer(Path(place) / "geneformer", asked.official),
        }
        if asked.device == "cuda":
            gpu_rows(folders, many, "cuda")
            return
        if asked.upstream is not None:
            sys.path.insert(0, str(asked.upstream))
            scgpt_rows(folders["scgpt_human"], dataset, many, asked)
        geneformer_rows(folders["geneformer_v1_10m"], dataset, many, asked)
        print("GPU: not measured here; with one: python -m benchmarks.inference --device cuda")


if __name__ == "__main__":
    main()
