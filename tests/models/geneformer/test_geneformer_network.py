"""Geneformer's network against transformers' BERT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from drawn import drawn_state

from zsgate.models.families.geneformer.adapter import Geneformer
from zsgate.models.families.geneformer.network import GeneformerNetwork, GeneformerShape
from zsgate.models.transformer.attention import Runs

GOLDEN = Path(__file__).parents[2] / "golden"

V1 = GeneformerShape(256, 4, 512, 6, 2048, 25_426, 2, 1e-12)

MakeGeneformer = Callable[..., Geneformer]


def test_forward_equals_transformers() -> None:
    """Second-to-last layer and masked-gene head equal BertForMaskedLM at V1's shape within 1e-5 (fp32)."""
    golden = np.load(GOLDEN / "geneformer_outputs.npz")
    network = GeneformerNetwork.of(drawn_state(V1.tensors(), 5), V1).to(torch.device("cpu"), torch.float32)
    for row, ids in enumerate(golden["ids"]):
        length = int((ids > 0).sum())
        tokens, runs = torch.from_numpy(ids[:length]), Runs((length,), torch.device("cpu"))
        with torch.inference_mode():
            mean, first = network.means(tokens, runs, 0), network.first_tokens(tokens, runs)
            best, likelihood, likelier = network.predictions(tokens, runs, tokens)
        np.testing.assert_allclose(mean[0], golden["means"][row], atol=1e-5)
        np.testing.assert_allclose(first[0], golden["first"][row], atol=1e-5)
        np.testing.assert_allclose(likelihood, golden["log_probability"][row, :length], atol=1e-5 * 20)
        assert (best.numpy() == golden["best"][row, :length]).mean() > 0.999
        np.testing.assert_array_equal(likelier == 0, best == tokens)


def test_packed_cells_equal_single_cells(tiny_geneformer: MakeGeneformer) -> None:
    """Several cells packed in one batch give what each gives alone, class token and mean, within 1e-5."""
    network = tiny_geneformer().network
    lengths = (5, 40, 3)
    ids = torch.from_numpy(np.random.default_rng(0).integers(2, 500, sum(lengths)))
    runs = Runs(lengths, ids.device)
    with torch.inference_mode():
        for whole, alone in (
            (network.means(ids, runs, 1), lambda part, run: network.means(part, run, 1)),
            (network.first_tokens(ids, runs), network.first_tokens),
        ):
            for cell, part in enumerate(ids.split(list(lengths))):
                single = alone(part, Runs((len(part),), ids.device))[0]
                torch.testing.assert_close(whole[cell], single, atol=1e-5, rtol=0)


def test_means_are_taken_in_float32(tiny_geneformer: MakeGeneformer) -> None:
    """In bf16 as well, for a cell alone as for many: a mean is not rounded to 8 bits."""
    network = replace(tiny_geneformer(), dtype=torch.bfloat16).network
    ids = torch.arange(2, 42)
    with torch.inference_mode():
        for lengths in ((40,), (15, 25)):
            assert network.means(ids, Runs(lengths, ids.device), 1).dtype == torch.float32
