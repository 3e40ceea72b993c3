"""scGPT's network against upstream's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import drawn_state

from zsgate.models.families.scgpt.network import ScGPTNetwork, ScGPTShape
from zsgate.models.families.scgpt.untrained import random_state
from zsgate.models.transformer.attention import Runs

GOLDEN = Path(__file__).parents[2] / "golden"

OFFICIAL = ScGPTShape(embsize=512, nheads=8, d_hid=512, nlayers=12, max_seq_len=1200)

N_TOKENS, PAD, CLS = 60_697, 60_694, 60_695


@pytest.mark.parametrize("ready", [True, False], ids=["as_run", "plain"])
def test_forward_equals_upstream(ready: bool) -> None:
    """Class token, GEP and GEPC equal upstream's module at the official shape within 1e-5 (fp32).

    As the gate runs it: the first layer's projections from tables, weights packed; and without either.
    """
    golden = np.load(GOLDEN / "scgpt_outputs.npz")
    network = ScGPTNetwork.of(drawn_state(OFFICIAL.tensors(N_TOKENS), 3), OFFICIAL)
    network = network.to(torch.device("cpu"), torch.float32) if ready else network
    for row, (ids, bins) in enumerate(zip(golden["ids"], golden["bins"], strict=True)):
        length = int((ids != PAD).sum())
        inputs = torch.from_numpy(ids[:length]), torch.from_numpy(bins[:length])
        runs = Runs((length,), torch.device("cpu"))
        with torch.inference_mode():
            cell = network.cells(*inputs, runs)[0]
            gep, gepc = network.predictions(*inputs, runs)
        np.testing.assert_allclose(cell, golden["cell_emb"][row], atol=1e-5)
        np.testing.assert_allclose(gep, golden["mlm_output"][row, :length], atol=1e-5)
        scale = np.abs(golden["mvc_output"]).max()
        np.testing.assert_allclose(gepc, golden["mvc_output"][row, :length], atol=1e-5 * max(1, scale))


def test_packed_cells_equal_single_cells() -> None:
    """Several cells packed in one batch give what each gives alone, within 1e-5: no cell sees another."""
    shape = ScGPTShape(embsize=64, nheads=4, d_hid=32, nlayers=3, max_seq_len=50)
    network = ScGPTNetwork.of(random_state(shape, 200, 0), shape).to(torch.device("cpu"), torch.float32)
    lengths = (7, 1, 40, 7)
    generator = np.random.default_rng(0)
    ids = torch.from_numpy(generator.integers(0, 200, sum(lengths)))
    bins = torch.from_numpy(generator.integers(-2, 51, sum(lengths)))
    with torch.inference_mode():
        packed = network.cells(ids, bins, Runs(lengths, ids.device))
        heads = network.predictions(ids, bins, Runs(lengths, ids.device))
        start = 0
        for cell, length in enumerate(lengths):
            part = slice(start, start + length)
            alone = Runs((length,), ids.device)
            torch.testing.assert_close(packed[cell], network.cells(ids[part], bins[part], alone)[0], atol=1e-5, rtol=0)
            for head, single in zip(heads, network.predictions(ids[part], bins[part], alone), strict=True):
                torch.testing.assert_close(head[part], single, atol=1e-5, rtol=0)
            start += length


@pytest.mark.parametrize("init", ["independent", "identical"])
def test_untrained_weights_follow_upstreams_initialisation(init: str) -> None:
    """Genes are uniform on ±0.1, linear layers on ±1/sqrt(n_in), norms 1 and 0; layers are copies or not, as asked."""
    shape = ScGPTShape(embsize=64, nheads=4, d_hid=32, nlayers=3, max_seq_len=50)
    state = random_state(shape, 500, 1, init)
    assert state["encoder.embedding.weight"].abs().max() == pytest.approx(0.1, rel=1e-3)
    down = state["transformer_encoder.layers.0.linear2.weight"]
    assert down.abs().max() == pytest.approx(32**-0.5, rel=1e-2)
    assert (state["transformer_encoder.layers.1.norm1.weight"] == 1).all()
    same = torch.equal(down, state["transformer_encoder.layers.2.linear2.weight"])
    assert same is (init == "identical")
    again = random_state(shape, 500, 1, init)
    assert all(torch.equal(state[name], again[name]) for name in state)
