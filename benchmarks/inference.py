"""Time tokenising and embedding against upstream, on the same real cells and random weights, in one run.

    python -m benchmarks.inference --upstream PATH [--tokenizer PATH] [--official FOLDER] [--cells 32]

``--upstream`` is a clone of bowang-lab/scGPT (0.2.5), ``--tokenizer`` one of ctheodoris/Geneformer; transformers gives
Geneformer's BERT. ``--official`` as in ``benchmarks.checkpoints``. Upstream's vocabulary reader takes minutes
and is not timed; its model runs with torch's default fast path and without it. All sides use as many threads.
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

import numpy as np
import torch

from benchmarks.checkpoints import GENEFORMER, make_geneformer, make_scgpt
from zsgate.models import geneformer, scgpt
from zsgate.models.scgpt_tokens import KeyedDraws
from zsgate.testing import some_cells

PEAK = 790e12  # dense bf16 FLOP/s of one H200
REPEATS = 3


def best(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the shortest of several runs after a first one, in seconds."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def row(what: str, seconds: float, n_cells: int, reference: float | None, bar: float | None) -> None:
    ratio = "" if reference is None else f"{reference / seconds:6.1f}x"
    wanted = "" if bar is None else f"bar {bar:g}x {'met' if reference and reference / seconds >= bar else 'NOT met'}"
    print(f"{what:58s} {1e3 * seconds / n_cells:10.3f} ms/cell {ratio:>8s}  {wanted}", flush=True)


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
    tokenise = best(lambda: model._reader(many.counts, columns, KeyedDraws(0), n_threads), 10)
    upstream_tokens, _ = upstream_scgpt(many, columns)
    reference = best(upstream_tokens)
    genes = many.counts.getnnz(axis=1).mean()
    row(f"scGPT tokens, upstream collator ({genes:.0f} genes a cell)", reference, many.n_cells, None, None)
    row("scGPT tokens, zsgate", tokenise, many.n_cells, reference, 10)
    _, upstream_embed = upstream_scgpt(dataset, columns)
    seconds = {}
    for fast in (True, False):
        torch.backends.mha.set_fastpath_enabled(fast)
        seconds[fast] = best(upstream_embed, 1)
        row(f"scGPT embed, upstream, fast path {'on' if fast else 'off'}", seconds[fast], dataset.n_cells, None, None)
    for dtype, bar in ((torch.float32, 3), (torch.bfloat16, 8)):
        took = best(partial(replace(model, dtype=dtype).embed, dataset), 2)
        name = str(dtype).removeprefix("torch.")
        row(f"scGPT embed, zsgate {name}, against the default fast path", took, dataset.n_cells, seconds[True], bar)
        row(f"scGPT embed, zsgate {name}, against fast path off", took, dataset.n_cells, seconds[False], None)


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
        reading, everything = best(lists, 1), best(whole, 1)
        row("Geneformer tokens, upstream, lists in memory", reading, many.n_cells, None, None)
        row("Geneformer tokens, upstream, with its dataset", everything, many.n_cells, None, None)
        took = best(lambda: model._reader(many.counts, columns, n_threads), 10)
        row("Geneformer tokens, zsgate, against lists in memory", took, many.n_cells, reading, None)
        row("Geneformer tokens, zsgate, against the whole", took, many.n_cells, everything, 10)
    reference = best(upstream_bert(model._reader(dataset.counts, columns)), 1)
    row("Geneformer embed, padded eager BertForMaskedLM", reference, dataset.n_cells, None, None)
    for dtype, bar in ((torch.float32, 3), (torch.bfloat16, None)):
        took = best(partial(replace(model, dtype=dtype).embed, dataset), 2)
        name = str(dtype).removeprefix("torch.")
        row(f"Geneformer embed, zsgate {name}", took, dataset.n_cells, reference, bar)


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
        rate = 4096 / best(partial(run_all, model, full))
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
    dataset, many = some_cells(asked.cells), some_cells(1024)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {asked.cells} cells embedded, 1024 tokenised")
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
