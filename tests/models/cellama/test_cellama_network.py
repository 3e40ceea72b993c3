"""CELLama's network equals transformers' BertModel, and its checkpoints are read strictly."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zsgate.errors import UsageProblem
from zsgate.models.families.cellama.network import CELLamaNetwork, read_network
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.bert import BertShape, bert_shapes, draw_state
from zsgate.models.transformer.runner import Batch, Runner
from zsgate.models.transformer.tokens import Tokens

CONFIG = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "hidden_act": "gelu",
}
SHAPE = BertShape(24, 4, 40, 3, 32, 50, 2, 1e-12)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def oracle():
    """Return transformers' BertModel with random weights larger than any initialisation's, so that they matter."""
    from transformers import BertConfig, BertModel

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
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


def network(folder, dtype=torch.float32) -> CELLamaNetwork:
    return read_network(folder).to(CPU, dtype)


@pytest.mark.parametrize("length", [1, 2, 7, 31, 32])
@pytest.mark.parametrize("size", [1, 3])
def test_hidden_states_are_those_of_transformers(oracle, folder, length, size):
    """Within 2e-6 in float32, for one token, odd lengths and the longest; bfloat16 within its rounding."""
    ids = torch.randint(1, 50, (size, length), generator=torch.Generator().manual_seed(length))
    runs = Runs((length,) * size, CPU)
    with torch.inference_mode():
        known = oracle(ids).last_hidden_state.flatten(0, 1)
        torch.testing.assert_close(network(folder).hidden(ids.flatten(), runs), known, atol=2e-6, rtol=1e-5)
        rough = network(folder, torch.bfloat16).hidden(ids.flatten(), runs)
    assert rough.dtype == torch.float32
    assert (rough - known).norm() < 0.03 * known.norm()


@pytest.mark.parametrize("alike", [True, False])
def test_pooling_puts_every_row_in_its_place(oracle, folder, alike):
    """Sequences of mixed lengths, in batches of few tokens: the mean over tokens, each at its own position."""
    generator = np.random.default_rng(0)
    sequences = [generator.integers(1, 50, length) for length in generator.integers(1, 32, 40)]
    offsets = np.cumsum([0, *map(len, sequences)])
    ids = np.concatenate(sequences).astype(np.int32)
    tokens, bert = Tokens(offsets, ids, np.full(len(ids), -1, np.int32)), network(folder)

    def means(batch: Batch) -> tuple[torch.Tensor]:
        return (bert.means(batch.ids, batch.runs),)

    rows = np.full((40, 24), np.nan, dtype=np.float32)
    for cells, (pooled,) in Runner(CPU, 64, alike=alike)(tokens, means):
        assert np.isnan(rows[cells]).all(), "a position comes once"
        rows[cells] = pooled
    with torch.inference_mode():
        known = [oracle(torch.from_numpy(ids)[None]).last_hidden_state[0].mean(dim=0).numpy() for ids in sequences]
    np.testing.assert_allclose(rows, known, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("encoder.layer.1.output.dense.bias"), "1 missing: encoder.layer.1.output.dense.bias"),
        (lambda t: t.update({"encoder.layer.3.extra": torch.zeros(1)}), "1 unknown: encoder.layer.3.extra"),
        (
            lambda t: t.update({"embeddings.LayerNorm.bias": torch.zeros(25)}),
            "1 misshapen: embeddings.LayerNorm.bias (25,) for (24,)",
        ),
        (
            lambda t: t.update({"embeddings.word_embeddings.weight": torch.zeros(24, 50)}),
            "1 misshapen: embeddings.word_embeddings.weight (24, 50) for (50, 24)",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(folder, change, says):
    """Missing, extra and misshapen tensors are named; nothing is loaded in part."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    with pytest.raises(UsageProblem, match=r"model\.safetensors does not fit the model") as refused:
        read_network(folder)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "entry", [{"hidden_act": "relu"}, {"pad_token_id": 1}, {"hidden_size": 23}, {"vocab_size": None}]
)
def test_another_architecture_is_refused(folder, entry):
    """Settings that the network does not honour, and sizes that are missing or do not fit, are named."""
    (folder / "config.json").write_text(json.dumps(CONFIG | entry))
    with pytest.raises(UsageProblem, match=f"is not that of a sentence transformer: .*{next(iter(entry))}"):
        read_network(folder)


def test_what_is_not_on_the_way_is_left_out(folder):
    """The pooler and the position ids of older files are not loaded and not missed."""
    path = folder / "model.safetensors"
    ids, runs = torch.arange(1, 9), Runs((8,), CPU)
    tensors, known = load_file(path), network(folder).means(ids, runs)
    assert "pooler.dense.weight" in tensors
    save_file({**tensors, "embeddings.position_ids": torch.arange(32)}, path)
    assert torch.equal(network(folder).means(ids, runs), known)
    save_file({name: tensor for name, tensor in tensors.items() if not name.startswith("pooler")}, path)
    assert torch.equal(network(folder).means(ids, runs), known)


def test_untrained_weights_are_distributed_as_berts():
    """N(0, 0.02) matrices, zero biases, unit norms, a zero row for padding, as transformers draws them."""
    shapes = bert_shapes(BertShape(64, 4, 256, 3, 32, 5000, 2, 1e-12))
    tensors = draw_state(shapes, seed=0)
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == shapes
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
    state, shapes = torch.random.get_rng_state(), bert_shapes(SHAPE)
    one, same, other = (draw_state(shapes, seed)["embeddings.word_embeddings.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)
