"""What the authors' own code does, as calls to be timed: scGPT's tokens and embedding, Geneformer's tokens and BERT."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import torch

from benchmarks.checkpoints import GENEFORMER


def scgpt(dataset, columns):  # type: ignore[no-untyped-def]
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


def bert(tokens):  # type: ignore[no-untyped-def]
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


def geneformer_tokens(clone: Path, folder: Path, dataset):  # type: ignore[no-untyped-def]
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
