"""Reading an scGPT checkpoint: every file is checked, and none is half loaded."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from zsgate.errors import UsageProblem
from zsgate.models.families.geneformer.dictionaries import read_dictionary
from zsgate.models.families.scgpt.adapter import ScGPTEncoder
from zsgate.models.families.scgpt.load import load


@pytest.fixture
def copied(scgpt_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny scGPT that a test may damage."""
    return Path(shutil.copytree(scgpt_folder, tmp_path / "copy"))


def load_scgpt(folder: Path) -> ScGPTEncoder:
    """Load the folder as scgpt_human."""
    return load("scgpt_human", weights=folder, device="cpu", offline=True)


def change(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Edit the tensors of the folder's model."""
    state = torch.load(folder / "best_model.pt", weights_only=True)
    edit(state)
    torch.save(state, folder / "best_model.pt")


def test_known_extras_are_listed_and_left_out(copied: Path) -> None:
    """Tensors official files carry and the network does not use are named on the card."""
    model = load_scgpt(copied)
    assert model.left_out == ("flag_encoder.weight",)
    assert "tensors left out: flag_encoder.weight" in model.info.notes


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda state: state.pop("value_encoder.norm.weight"), "1 missing: value_encoder.norm.weight"),
        (lambda state: state.update(stranger=torch.zeros(1)), "1 unknown: stranger"),
        (
            lambda state: state.update({"decoder.fc.4.weight": torch.zeros(2, 32)}),
            r"1 misshapen: decoder.fc.4.weight \(2, 32\) for \(1, 32\)",
        ),
        (
            lambda state: [
                state.update({name.replace("Wqkv", "QKV"): state.pop(name)}) for name in list(state) if "Wqkv" in name
            ],
            "6 missing: .*in_proj.*6 unknown: .*QKV",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_not_half_loaded(
    copied: Path, edit: Callable[[dict[str, torch.Tensor]], object], complaint: str
) -> None:
    """Missing, unknown, misshapen tensors and renamed attention are refused with a list."""
    change(copied, edit)
    with pytest.raises(UsageProblem, match=complaint):
        load_scgpt(copied)


@pytest.mark.parametrize("naming", ["self_attn.Wqkv.", "self_attn._impl.Wqkv.", "self_attn.in_proj_"])
def test_all_names_of_attention_load_the_same(copied: Path, naming: str) -> None:
    """flash-attention's names, its wrapper's and torch's are the same tensors."""
    expected = load_scgpt(copied).state
    change(
        copied,
        lambda state: [
            state.update({name.replace("self_attn.Wqkv.", naming): state.pop(name)})
            for name in list(state)
            if "Wqkv" in name
        ],
    )
    found = load_scgpt(copied).state
    assert expected is not None
    assert found is not None
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_safetensors_load_as_the_pickle_does(copied: Path) -> None:
    """The same tensors as safetensors give the same model."""
    expected = load_scgpt(copied).state
    state = torch.load(copied / "best_model.pt", weights_only=True)
    (copied / "best_model.pt").unlink()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, copied / "best_model.safetensors")
    found = load_scgpt(copied).state
    assert expected is not None
    assert found is not None
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_a_truncated_model_is_refused(copied: Path, keep: int) -> None:
    """A cut-off file is one sentence, not a traceback of a library."""
    path = copied / "best_model.pt"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsageProblem, match="truncated, altered or not a weight file"):
        load_scgpt(copied)


class Trap:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_no_pickle_is_executed(copied: Path, tmp_path: Path) -> None:
    """A model file and a dictionary that would run code are refused, and the code does not run."""
    trap = tmp_path / "sprung"
    torch.save({"a": Trap(trap)}, copied / "best_model.pt")
    with pytest.raises(UsageProblem, match="cannot be read as model weights"):
        load_scgpt(copied)
    path = tmp_path / "token_dictionary.pkl"
    path.write_bytes(pickle.dumps({"a": Trap(trap)}))
    with pytest.raises(UsageProblem, match="nothing was executed"):
        read_dictionary(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("change_args", "complaint"),
    [
        ({"embsize": None}, "embsize is None"),
        ({"nheads": 5}, "no multiple of nheads"),
        ({"pre_norm": True}, "pre_norm is True, not False"),
        ({"input_emb_style": "category"}, "input_emb_style is 'category'"),
        ({"nlayers": 2}, "12 unknown"),
        ({"nlayers": 10**12}, "nlayers is more than 1,000"),
        ({"embsize": 10**9}, "embsize is more than 1,048,576"),
        ({"nlayers": True}, "nlayers is True"),
    ],
)
def test_a_wrong_args_json_is_refused(copied: Path, change_args: dict[str, object], complaint: str) -> None:
    """An args.json of something else is refused with the entry at fault."""
    path = copied / "args.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change_args))
    with pytest.raises(UsageProblem, match=complaint):
        load_scgpt(copied)


ENDLESS = '{"a":' * 100_000  # nested deeper than Python reads


@pytest.mark.parametrize("content", ["[1]", "5", "{", "null", ENDLESS, '{"a": ' + "9" * 10_000 + "}"])
def test_a_list_is_no_args_json(copied: Path, content: str) -> None:
    """JSON of something else than names and values is refused by name."""
    (copied / "args.json").write_text(content)
    with pytest.raises(UsageProblem, match="is not JSON of names and values"):
        load_scgpt(copied)


@pytest.mark.parametrize("content", ["{", "[1]", '{"A": "x"}', '{"A": 5}', ENDLESS])
def test_a_wrong_vocabulary_is_refused(copied: Path, content: str) -> None:
    """A vocab.json that is not a numbered vocabulary is refused by name."""
    (copied / "vocab.json").write_text(content)
    with pytest.raises(UsageProblem, match=re.escape(str(copied / "vocab.json"))):
        load_scgpt(copied)
