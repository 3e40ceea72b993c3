"""The BERT encoder equals transformers' BertModel, and its checkpoints are read strictly."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zsgate.models.cellama import bert

CONFIG = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
    "pad_token_id": 0,
    "hidden_act": "gelu",
}


@pytest.fixture(scope="module")
def oracle():
    """Return transformers' BertModel with random weights larger than any initialisation's, so that they matter."""
    from transformers import BertConfig, BertModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = BertModel(BertConfig(**CONFIG)).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.fixture
def folder(oracle, tmp_path):
    """Return a checkpoint folder of the oracle, as transformers saves it."""
    oracle.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def encoder(folder, dtype=torch.float32):
    return bert.Encoder(*bert.load(folder), torch.device("cpu"), dtype)


@pytest.mark.parametrize("length", [1, 2, 7, 31, 32])
@pytest.mark.parametrize("size", [1, 3])
def test_hidden_states_are_those_of_transformers(oracle, folder, length, size):
    """Within 2e-6 in float32, for one token, odd lengths and the longest; bfloat16 within its rounding."""
    ids = torch.randint(1, 50, (size, length), generator=torch.Generator().manual_seed(length))
    with torch.inference_mode():
        known = oracle(ids).last_hidden_state
    torch.testing.assert_close(encoder(folder).hidden(ids), known, atol=2e-6, rtol=1e-5)
    rough = encoder(folder, torch.bfloat16).hidden(ids)
    assert rough.dtype == torch.float32
    assert (rough - known).norm() < 0.03 * known.norm()


def test_pooling_puts_every_row_in_its_place(oracle, folder, monkeypatch):
    """Sequences of mixed lengths, in batches of few tokens: the mean over tokens, each at its own position."""
    monkeypatch.setattr(bert, "TOKENS_PER_BATCH", 20)
    generator = np.random.default_rng(0)
    tokens = [generator.integers(1, 50, length) for length in generator.integers(1, 32, 40)]
    rows = np.full((40, 24), np.nan, dtype=np.float32)
    for positions, pooled in encoder(folder).mean_pooled(tokens):
        assert np.isnan(rows[positions]).all(), "a position comes once"
        rows[positions] = pooled
    with torch.inference_mode():
        known = [oracle(torch.from_numpy(ids)[None]).last_hidden_state[0].mean(dim=0).numpy() for ids in tokens]
    np.testing.assert_allclose(rows, known, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("encoder.layer.1.output.dense.bias"), "missing ['encoder.layer.1.output.dense.bias']"),
        (lambda t: t.update({"encoder.layer.3.extra": torch.zeros(1)}), "unexpected ['encoder.layer.3.extra']"),
        (
            lambda t: t.update({"embeddings.LayerNorm.bias": torch.zeros(25)}),
            "misshapen ['embeddings.LayerNorm.bias']",
        ),
        (
            lambda t: t.update({"embeddings.word_embeddings.weight": torch.zeros(24, 50)}),
            "misshapen ['embeddings.word_embeddings.weight']",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(folder, change, says):
    """Missing, extra and misshapen tensors are named; nothing is loaded in part."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    with pytest.raises(ValueError, match=r"model\.safetensors: ") as refused:
        bert.load(folder)
    assert says in str(refused.value)


def test_what_is_not_on_the_way_is_left_out(folder):
    """The pooler and the position ids of older files are not loaded and not missed."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    assert "pooler.dense.weight" in tensors
    known = bert.load(folder)[1]
    save_file({**tensors, "embeddings.position_ids": torch.arange(32)}, path)
    found = bert.load(folder)[1]
    assert found.keys() == known.keys() == bert.shapes(CONFIG).keys()
    save_file({name: tensor for name, tensor in tensors.items() if not name.startswith("pooler")}, path)
    assert bert.load(folder)[1].keys() == known.keys()


def test_untrained_weights_are_distributed_as_berts():
    """N(0, 0.02) matrices, zero biases, unit norms, a zero row for padding, as transformers draws them."""
    config = {**CONFIG, "vocab_size": 5000, "hidden_size": 64, "intermediate_size": 256}
    tensors = bert.untrained(config, seed=0)
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == bert.shapes(config)
    for name, tensor in tensors.items():
        if name.endswith("bias"):
            assert not tensor.any()
        elif "LayerNorm" in name:
            assert (tensor == 1).all()
        elif tensor.numel() > 4000:
            assert abs(float(tensor.mean())) < 0.001
            assert float(tensor.std()) == pytest.approx(0.02, rel=0.05)
    assert not tensors["embeddings.word_embeddings.weight"][0].any()


def test_seeds_decide_untrained_weights():
    """The same seed gives the same tensors, another seed others; torch's own generator is left alone."""
    state = torch.random.get_rng_state()
    one, same, other = (bert.untrained(CONFIG, seed)["embeddings.word_embeddings.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)
