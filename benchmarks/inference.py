"""Time tokenising and embedding against upstream, on the same real cells and random weights, in one run.

    python -m benchmarks.inference --upstream PATH [--tokenizer PATH] [--official FOLDER] [--cells 32]

``--upstream`` is a clone of bowang-lab/scGPT (0.2.5), ``--tokenizer`` one of ctheodoris/Geneformer; transformers gives
Geneformer's BERT. ``--official`` as in ``benchmarks.checkpoints``. Upstream's vocabulary reader takes minutes
and is not timed; its model runs with torch's default fast path and without it. All sides use as many threads and take
turns; ratios are of wall clocks and of processor time, the second being the one to trust on a busy machine.
On a GPU the achieved share of the roofline stands beside the rate.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.checkpoints import GENEFORMER, make_geneformer, make_scgpt
from zsgate.dataset import Dataset
from zsgate.fixtures.catalogue import load
from zsgate.models import geneformer, scgpt
from zsgate.models.scgpt_tokens import KeyedDraws
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


def upstream_scgpt(dataset, columns):  # type: ignore[no-untyped-def]
    """Return (collate the cells, embed them) as upstream's ``get_batch_cell_embeddings`` does, 64 at a time."""
    from scgpt.data_collator import DataCollator
    from scgpt.model import TransformerModel
    from scgpt.tasks import cell_emb

    vocab = {"<pad>": 60_694, "<cls>": 60_695}
    cell_emb.tqdm = lambda batches, **_: batches
    cell_emb.os = types.SimpleNamespace(sched_getaffinity=lambda _: ())  # no worker processes: they are not faster here
    model = TransformerModel(60_697, 512, 8, 512, 12, vocab=vocab, dropout=0.2, pad_value=-2, do_mvc=True).eval()
    cells = dataset.to_anndata()[:, columns >= 0].copy()
    cells.var["id_in_vocab"] = columns[columns >= 0]
    dense = cells.X.toarray()
    collate = DataCollator(pad_token_id=60_694, pad_value=-2, do_mlm=False, max_length=1200)

    def tokens() -> None:
        for start in range(0, len(dense), 64):
            examples = []
            for counts in dense[start : start + 64]:
                genes = np.flatnonzero(counts)
                ids = np.insert(cells.var["id_in_vocab"].to_numpy()[genes], 0, 60_695)
                values = np.insert(counts[genes], 0, -2)
                examples.append({"genes": torch.from_numpy(ids).long(), "expressions": torch.from_numpy(values)})
            collate(examples)

    configs = {"pad_token": "<pad>", "pad_value": -2, "embsize": 512}

    def embed() -> None:
        cell_emb.get_batch_cell_embeddings(cells, model=model, vocab=vocab, model_configs=configs)

    return tokens, embed


def scgpt_rows(folder: Path, dataset, many, asked) -> None:  # type: ignore[no-untyped-def]
    model = scgpt.load("scgpt_human", weights=folder, device="cpu", dtype="float32")
    columns = model._reader.columns(dataset.symbols)
    n_threads = torch.get_num_threads()
    known = model._reader.columns(many.symbols)
    upstream_tokens, _ = upstream_scgpt(many, known)
    took = in_turn({"up": upstream_tokens, "us": lambda: model._reader(many.counts, known, KeyedDraws(0), n_threads)})
    genes = many.counts.getnnz(axis=1).mean()
    row(f"scGPT tokens, upstream collator ({genes:.0f} genes a cell)", took["up"], many.n_cells)
    row("scGPT tokens, zsgate", took["us"], many.n_cells, took["up"], 10)
    _, upstream_embed = upstream_scgpt(dataset, columns)

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


def upstream_bert(tokens):  # type: ignore[no-untyped-def]
    """Return upstream's procedure: padded batches through an eager BertForMaskedLM, hidden states, mean."""
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=GENEFORMER.vocab_size,
        hidden_size=GENEFORMER.hidden_size,
        num_hidden_layers=GENEFORMER.num_hidden_layers,
        num_attention_heads=GENEFORMER.num_attention_heads,
        intermediate_size=GENEFORMER.intermediate_size,
        max_position_embeddings=GENEFORMER.max_position_embeddings,
        hidden_act="relu",
        attn_implementation="eager",
    )
    model = BertForMaskedLM(config).eval()
    order = np.argsort(-tokens.lengths, kind="stable")  # upstream sorts by length, longest first

    def embed() -> None:
        for start in range(0, len(order), 24):
            cells = order[start : start + 24]
            ids = np.zeros((len(cells), tokens.lengths[cells].max()), np.int64)
            for place, cell in enumerate(cells):
                run = tokens.ids[tokens.offsets[cell] : tokens.offsets[cell + 1]]
                ids[place, : len(run)] = run
            batch = torch.from_numpy(ids)
            with torch.no_grad():
                found = model(batch, attention_mask=(batch > 0).long(), output_hidden_states=True)
                mask = (batch > 0)[:, :, None]
                (found.hidden_states[-2] * mask).sum(1) / mask.sum(1)

    return embed


def upstream_geneformer_tokens(clone: Path, folder: Path, dataset):  # type: ignore[no-untyped-def]
    package = types.ModuleType("geneformer")
    package.__path__ = [str(clone / "geneformer")]  # type: ignore[attr-defined]
    for name in ("ENSEMBL_MAPPING_FILE", "GENE_MEDIAN_FILE", "TOKEN_DICTIONARY_FILE"):
        setattr(package, name, None)
    sys.modules["geneformer"] = package
    from geneformer.tokenizer import TranscriptomeTokenizer

    tokenizer = TranscriptomeTokenizer(
        {"row": "row"},
        model_input_size=2048,
        special_token=False,
        gene_median_file=folder / "gene_median_dictionary_gc30M.pkl",
        token_dictionary_file=folder / "token_dictionary_gc30M.pkl",
        gene_mapping_file=folder / "ensembl_mapping_dict_gc30M.pkl",
    )
    cells = dataset.to_anndata()
    cells.obs["n_counts"] = np.asarray(cells.X.sum(axis=1)).ravel()
    cells.obs["row"] = np.arange(len(cells))
    path = folder / "cells.h5ad"
    cells.write_h5ad(path)

    def lists():  # type: ignore[no-untyped-def]
        return tokenizer.tokenize_anndata(path)

    return lists, lambda: tokenizer.create_dataset(*lists())


def geneformer_rows(folder: Path, dataset, many, asked) -> None:  # type: ignore[no-untyped-def]
    model = geneformer.load("geneformer_v1_10m", weights=folder, device="cpu", dtype="float32", cache=folder)
    columns = model.genes.columns(dataset.ensembl, dataset.symbols)
    if asked.tokenizer is not None:
        n_threads = torch.get_num_threads()
        lists, whole = upstream_geneformer_tokens(asked.tokenizer, folder, many)
        known = model.genes.columns(many.ensembl, many.symbols)
        took = in_turn({"lists": lists, "whole": whole, "us": lambda: model._reader(many.counts, known, n_threads)})
        row("Geneformer tokens, upstream, lists in memory", took["lists"], many.n_cells)
        row("Geneformer tokens, upstream, with its dataset", took["whole"], many.n_cells)
        row("Geneformer tokens, zsgate, against lists in memory", took["us"], many.n_cells, took["lists"])
        row("Geneformer tokens, zsgate, against the whole", took["us"], many.n_cells, took["whole"], 10)
    calls = {"up": upstream_bert(model._reader(dataset.counts, columns)), "float32": partial(model.embed, dataset)}
    calls["bfloat16"] = partial(replace(model, dtype=torch.bfloat16).embed, dataset)
    took = in_turn(calls)
    row("Geneformer embed, padded eager BertForMaskedLM", took["up"], dataset.n_cells)
    for name, bar in (("float32", 3), ("bfloat16", None)):
        row(f"Geneformer embed, zsgate {name}", took[name], dataset.n_cells, took["up"], bar)


def gpu_rows(folders: dict[str, Path], many) -> None:  # type: ignore[no-untyped-def]
    """Time full-length cells on the GPU; FLOP of a token and layer: 8 d² + 4 d f + 4 L d."""
    if not torch.cuda.is_available():
        print("GPU: none at hand, not measured (wanted on one H200: 4,000 scGPT and 10,000 Geneformer V1 cells/s)")
        return
    for model, layers, wide in (
        (scgpt.load("scgpt_human", weights=folders["scgpt_human"]), 12, 512),
        (geneformer.load("geneformer_v1_10m", weights=folders["geneformer_v1_10m"]), 5, 512),
    ):
        tokens = model._tokeniser(many)(0, many.n_cells)
        full = tokens.take(np.repeat(np.argmax(tokens.lengths), 4096))
        length, d = int(full.lengths[0]), model.dimensions
        rate = 4096 / in_turn({"us": partial(run_all, model, full)})["us"].wall
        share = rate * layers * length * (8 * d * d + 4 * d * wide + 4 * length * d) / PEAK
        name, where = model.checkpoint.name, torch.cuda.get_device_name()
        print(f"{name} on {where}: {rate:,.0f} cells/s at {length} tokens, {share:.0%} of the roofline")


def run_all(model, tokens) -> None:  # type: ignore[no-untyped-def]
    for _ in model._runner()(tokens, model._cells):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, help="a clone of bowang-lab/scGPT")
    parser.add_argument("--tokenizer", type=Path, help="a clone of ctheodoris/Geneformer")
    parser.add_argument("--official", type=Path)
    parser.add_argument("--cells", type=int, default=32)
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
        if asked.upstream is not None:
            sys.path.insert(0, str(asked.upstream))
            scgpt_rows(folders["scgpt_human"], dataset, many, asked)
        geneformer_rows(folders["geneformer_v1_10m"], dataset, many, asked)
        gpu_rows(folders, many)


if __name__ == "__main__":
    main()
