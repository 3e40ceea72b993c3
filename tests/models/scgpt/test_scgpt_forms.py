"""An scGPT embeds the same in whatever form a lab has saved it, and what depends on batches is refused."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.adapter import predicts_genes
from zsgate.models.families.scgpt.adapter import ScGPTEncoder
from zsgate.models.families.scgpt.load import load
from zsgate.run.before.applicability import objection_to_predictions

State = dict[str, torch.Tensor]
GENES = "encoder.embedding.weight"


@pytest.fixture
def folder(scgpt_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny scGPT that a test may rewrite."""
    return Path(shutil.copytree(scgpt_folder, tmp_path / "islet_model"))


def read(folder: Path) -> ScGPTEncoder:
    """Load the folder as somebody's own scGPT."""
    return load("scgpt", weights=folder, device="cpu", offline=True)


def rewrite(folder: Path, edit: Callable[[State], Mapping[str, object]]) -> None:
    """Change what the folder's model file holds."""
    path = folder / "best_model.pt"
    torch.save(edit(torch.load(path, weights_only=True)), path)


def set_args(folder: Path, **args: object) -> None:
    """Change what the folder's args.json states; None takes an entry out."""
    path = folder / "args.json"
    stated = json.loads(path.read_text()) | args
    path.write_text(json.dumps({name: value for name, value in stated.items() if value is not None}))


def without(*beginnings: str) -> Callable[[State], State]:
    """Return what leaves out the tensors whose names begin so."""
    return lambda state: {name: each for name, each in state.items() if not name.startswith(beginnings)}


def labelled(state: State) -> State:
    """Return the state after fine-tuning with batch labels, which the heads read beside the output."""
    more = {"batch_encoder.embedding.weight": torch.zeros(4, 32), "decoder.fc.0.weight": torch.zeros(32, 64)}
    return state | more | {"mvc_decoder.W.weight": torch.zeros(64, 32)}


@pytest.mark.parametrize(
    ("edit", "heads"),
    [
        pytest.param(without("decoder.", "mvc_decoder.", "flag_encoder."), (), id="encoder"),
        pytest.param(without("mvc_decoder."), ("gep",), id="without_mvc"),
        pytest.param(without("decoder."), ("gepc",), id="without_gep"),
        pytest.param(labelled, (), id="with_batch_labels"),
        pytest.param(
            lambda state: state | {"cls_decoder.out_layer.bias": torch.zeros(9)}, ("gep", "gepc"), id="classes"
        ),
    ],
)
def test_heads_are_for_predictions_only(
    folder: Path, handful: Dataset, edit: Callable[[State], State], heads: tuple[str, ...]
) -> None:
    """Without a head the embedding is the same, the others predict the same, and of the absent it is said."""
    before = read(folder)
    rewrite(folder, edit)
    after = read(folder)
    np.testing.assert_allclose(after.embed(handful), before.embed(handful), atol=1e-6)
    assert after.heads == heads
    assert predicts_genes(after) is bool(heads)
    assert any("which was not tested" in note for note in after.info.notes) is (len(heads) < 2)
    assert bool(objection_to_predictions(after, "mse_gepc")) is ("gepc" not in heads)
    assert np.isfinite(after.random_init(0).embed(handful)).all()
    assert predicts_genes(before)
    if predicts_genes(after):
        for one, other in zip(before.reconstruct(handful), after.reconstruct(handful), strict=True):
            assert tuple(other.predictions) == heads
            for head in heads:
                np.testing.assert_allclose(other.predictions[head], one.predictions[head], atol=1e-5)


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda state: {f"module.{name}": each for name, each in state.items()}, id="module"),
        pytest.param(lambda state: {"epoch": 3, "model_state_dict": state, "loss": 0.5}, id="model_state_dict"),
        pytest.param(
            lambda state: {
                "pytorch-lightning_version": "2.5",
                "state_dict": {f"model.{name}": each for name, each in state.items()},
                "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-4}]}],
                "hyper_parameters": {"lr": 1e-4},
            },
            id="lightning",
        ),
        pytest.param(
            lambda state: {"model_state_dict": {f"model.module.{name}": each for name, each in state.items()}},
            id="both",
        ),
    ],
)
def test_wrapped_states_embed_the_same(folder: Path, handful: Dataset, wrap: Callable[[State], State]) -> None:
    """What training loops put around the tensors and before their names is left out."""
    before = read(folder).embed(handful)
    rewrite(folder, wrap)
    (folder / "best_model.pt").rename(folder / "last.ckpt")
    np.testing.assert_allclose(read(folder).embed(handful), before, atol=1e-6)


@pytest.mark.parametrize("multiple", [8, 64])
def test_a_padded_table_embeds_the_same(folder: Path, handful: Dataset, multiple: int) -> None:
    """Rows beyond the vocabulary are of no gene."""
    before = read(folder)
    n_rows = (len(before.vocabulary) // multiple + 1) * multiple
    more = torch.full((n_rows - len(before.vocabulary), 32), 7.0)
    rewrite(folder, lambda state: state | {GENES: torch.cat([state[GENES], more])})
    np.testing.assert_allclose(read(folder).embed(handful), before.embed(handful), atol=1e-6)


def vocabulary_without(folder: Path, *names: str) -> None:
    """Take tokens from the end of the folder's vocabulary."""
    vocabulary = json.loads((folder / "vocab.json").read_text())
    for name in names:
        assert vocabulary.pop(name) == len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))


def test_a_vocabulary_without_eoc_embeds_the_same(folder: Path, handful: Dataset) -> None:
    """No cell has the token, so whether the table has a row for it does not matter."""
    before = read(folder)
    vocabulary_without(folder, "<eoc>")
    with_row = read(folder)
    rewrite(folder, lambda state: state | {GENES: state[GENES][:-1]})
    without_row = read(folder)
    for after in (with_row, without_row):
        np.testing.assert_allclose(after.embed(handful), before.embed(handful), atol=1e-6)
        assert after.coverage(handful).n_vocabulary == before.coverage(handful).n_vocabulary


def test_a_vocabulary_without_the_class_token_fits_its_table_or_is_refused(folder: Path, handful: Dataset) -> None:
    """The token whose output is the embedding is appended, as upstream does; among rows of padding none is guessed."""
    before = read(folder)
    vocabulary_without(folder, "<eoc>", "<cls>")
    np.testing.assert_allclose(read(folder).embed(handful), before.embed(handful), atol=1e-6)
    n_rows = (len(before.vocabulary) // 8 + 1) * 8
    more = torch.zeros(n_rows - len(before.vocabulary), 32)
    rewrite(folder, lambda state: state | {GENES: torch.cat([state[GENES], more])})
    with pytest.raises(UsageProblem, match=r"lacks <cls>, and which row of the model's .* cannot be told"):
        read(folder)


def test_args_without_length_or_with_other_bins_embed_the_same(folder: Path, handful: Dataset) -> None:
    """Upstream's embed_data reads 1,200 tokens and makes 51 bins, whatever args.json says: it is noted."""
    set_args(folder, max_seq_len=1200)
    before = read(folder)
    set_args(folder, max_seq_len=None, n_bins=101)
    after = read(folder)
    np.testing.assert_allclose(after.embed(handful), before.embed(handful), atol=1e-6)
    said = " ".join(set(after.info.notes) - set(before.info.notes))
    assert "states no max_seq_len: 1,200" in said
    assert "states n_bins 101: cells are binned in 51" in said


@pytest.mark.parametrize("name", ["dsbn.bns.0.running_mean", "bn.weight"])
def test_batch_norm_is_refused(folder: Path, name: str) -> None:
    """An embedding that goes through it is of a batch of the fine-tuning, which new cells have not."""
    rewrite(folder, lambda state: state | {name: torch.zeros(32)})
    with pytest.raises(UsageProblem, match=rf"batch norm \({name}\): its embedding depends on which batch"):
        read(folder)


@pytest.mark.parametrize("name", ["transformer_encoder.layers.0.self_attn.out_proj.lora_A", "lora_B"])
def test_adapters_that_are_not_merged_are_refused(folder: Path, name: str) -> None:
    """Without its adapter the base would be judged."""
    rewrite(folder, lambda state: state | {name: torch.zeros(4, 32)})
    with pytest.raises(UsageProblem, match="a LoRA adapter that is not merged"):
        read(folder)


def test_a_file_that_needs_code_says_what_to_save(folder: Path) -> None:
    """Lightning keeps settings as objects of any class; none is made, and the sentence says what is of use."""
    rewrite(folder, lambda state: {"state_dict": state, "hyper_parameters": Namespace(lr=1e-4)})
    with pytest.raises(UsageProblem, match=r"holds a argparse.Namespace, of which nothing was executed; save the tens"):
        read(folder)


def test_two_states_in_a_file_are_refused(folder: Path) -> None:
    """Which of two is the model is not guessed."""
    rewrite(folder, lambda state: {"state_dict": state, "model_state_dict": state})
    with pytest.raises(UsageProblem, match="holds more than named tensors"):
        read(folder)


@pytest.mark.parametrize("missing", ["value_encoder.", "transformer_encoder.layers.2.", GENES])
def test_an_encoder_that_is_not_whole_is_refused(folder: Path, missing: str) -> None:
    """What fixes the embedding is there, or nothing is loaded."""
    rewrite(folder, without(missing))
    with pytest.raises(UsageProblem, match=rf"missing: {missing}"):
        read(folder)


def test_safetensors_under_another_name(folder: Path, handful: Dataset) -> None:
    """The only file that can be the model is it."""
    before = read(folder).embed(handful)
    state = torch.load(folder / "best_model.pt", weights_only=True)
    (folder / "best_model.pt").unlink()
    save_file({name: each.contiguous() for name, each in state.items()}, folder / "islets_epoch9.safetensors")
    np.testing.assert_allclose(read(folder).embed(handful), before, atol=1e-6)
