"""Model files: found, downloaded, resumed, checked, refused; nothing in them is ever executed."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from zsgate.errors import UsageProblem
from zsgate.models.geneformer import adapter as geneformer
from zsgate.models.geneformer.dictionaries import kept_as_json, read_dictionary
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.weights import find_files, read_tensors
from zsgate.models.scgpt import adapter as scgpt


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_absent_and_offline_lists_every_file_and_its_place(name: str, tmp_path: Path) -> None:
    """Without files and network one error names each file, its address, its digest and the folder."""
    with pytest.raises(UsageProblem) as raised:
        find_files(CHECKPOINTS[name], None, tmp_path, offline=True)
    message = str(raised.value)
    assert str(tmp_path / "weights" / name) in message
    for file in CHECKPOINTS[name].files:
        assert file.name in message
        assert (file.url or CHECKPOINTS[name].page) in message
        assert (file.sha256 or "no published sha256") in message


def test_files_without_a_direct_link_are_asked_of_the_user(tmp_path: Path) -> None:
    """Checkpoints that are only in a Drive folder are not guessed at: the error names the folder."""
    with pytest.raises(UsageProblem, match=r"(?s)no direct link.*drive\.google\.com/drive/folders/1kkug5C7"):
        find_files(CHECKPOINTS["scgpt_blood"], None, tmp_path, offline=False)
    assert list(tmp_path.iterdir()) == []


def test_each_digest_says_where_it_was_read() -> None:
    """Every literal sha256 cites its source, is one, and nothing without a source has one."""
    files = {file for checkpoint in CHECKPOINTS.values() for file in checkpoint.files}
    assert sum(file.sha256 is not None for file in files) == 17
    for file in files:
        assert (file.sha256 is None) is (file.read_in is None)
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)


def test_official_dictionaries_and_vocabulary_are_the_published_ones(shared_data: Path) -> None:
    """The real files at hand have the digests the catalogue states."""
    folder = shared_data / "weights"
    checked = 0
    for name, place in (
        ("scgpt_human", "scgpt_human"),
        ("geneformer_v1_10m", "geneformer_v1"),
        ("geneformer_v2_104m", "geneformer_v2"),
    ):
        for file in CHECKPOINTS[name].files:
            path = folder / place / file.name
            if path.exists():
                assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
                checked += 1
    assert checked == 10


@pytest.fixture
def copied(scgpt_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the tiny scGPT that a test may damage."""
    return Path(shutil.copytree(scgpt_folder, tmp_path / "copy"))


def load_scgpt(folder: Path) -> scgpt.ScGPT:
    """Load the folder as scgpt_human."""
    return scgpt.load("scgpt_human", weights=folder, device="cpu", offline=True)


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
        ({"n_bins": 101}, "n_bins is 101, not 51"),
        ({"input_emb_style": "category"}, "input_emb_style is 'category'"),
        ({"nlayers": 2}, "12 unknown"),
    ],
)
def test_a_wrong_args_json_is_refused(copied: Path, change_args: dict[str, object], complaint: str) -> None:
    """An args.json of something else is refused with the entry at fault."""
    path = copied / "args.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change_args))
    with pytest.raises(UsageProblem, match=complaint):
        load_scgpt(copied)


@pytest.mark.parametrize("content", ["[1]", "5", "{", "null"])
def test_a_list_is_no_args_json(copied: Path, content: str) -> None:
    """JSON of something else than names and values is refused by name."""
    (copied / "args.json").write_text(content)
    with pytest.raises(UsageProblem, match="is not JSON of names and values"):
        load_scgpt(copied)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [({"vocab_size": 40_000}, r"vocab_size is 40,000, more than 32,768"), ({"hidden_act": "gelu"}, "hidden_act is")],
)
def test_a_wrong_config_json_is_refused(
    geneformer_folders: dict[str, Path], tmp_path: Path, entry: dict[str, object], complaint: str
) -> None:
    """A config.json the network cannot honour is refused: its ranks hold tokens of 15 bits."""
    folder = Path(shutil.copytree(geneformer_folders["geneformer_v1_10m"], tmp_path / "wide"))
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entry))
    with pytest.raises(UsageProblem, match=complaint):
        geneformer.load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", '{"A": "x"}', '{"A": 5}'])
def test_a_wrong_vocabulary_is_refused(copied: Path, content: str) -> None:
    """A vocab.json that is not a numbered vocabulary is refused by name."""
    (copied / "vocab.json").write_text(content)
    with pytest.raises(UsageProblem, match=re.escape(str(copied / "vocab.json"))):
        load_scgpt(copied)


def test_dictionaries_of_another_version_are_refused(geneformer_folders: dict[str, Path], tmp_path: Path) -> None:
    """V2 dictionaries beside V1 weights do not load: the number of tokens gives them away."""
    folder = Path(shutil.copytree(geneformer_folders["geneformer_v1_10m"], tmp_path / "mixed"))
    for path in geneformer_folders["geneformer_v2_104m"].glob("*.pkl"):
        shutil.copyfile(path, folder / path.name.replace("gc104M", "gc30M"))
    with pytest.raises(UsageProblem, match=r"V1 weights .* go with the gc30M dictionaries"):
        geneformer.load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)


def test_an_untied_head_is_refused(geneformer_folders: dict[str, Path], tmp_path: Path) -> None:
    """A decoder that differs from the embeddings it is tied to is refused; an equal copy is left out."""
    folder = Path(shutil.copytree(geneformer_folders["geneformer_v1_10m"], tmp_path / "untied"))
    state = read_tensors(folder / "model.safetensors")
    words = state["bert.embeddings.word_embeddings.weight"]
    save_file(state | {"cls.predictions.decoder.weight": words.clone()}, folder / "model.safetensors")
    model = geneformer.load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)
    assert model.left_out == ("cls.predictions.decoder.weight",)
    save_file(state | {"cls.predictions.decoder.weight": words + 1}, folder / "model.safetensors")
    with pytest.raises(UsageProblem, match="to which Geneformer ties it"):
        geneformer.load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)


def test_dictionaries_are_kept_as_json(geneformer_folders: dict[str, Path], tmp_path: Path) -> None:
    """A pickle is converted once, the copy holds the same and is found by the pickle's digest."""
    path = geneformer_folders["geneformer_v1_10m"] / "gene_median_dictionary_gc30M.pkl"
    first = kept_as_json(path, tmp_path)
    (copy,) = (tmp_path / "dictionaries").iterdir()
    assert copy.suffix == ".json"
    assert kept_as_json(path, tmp_path) == first == pickle.loads(path.read_bytes())


def test_dictionaries_are_converted_side_by_side(tmp_path: Path) -> None:
    """Runs that share a cache and start together: each gets the dictionary, whoever is first."""
    path = tmp_path / "token_dictionary.pkl"
    genes = {f"ENSG{i:011d}": i for i in range(20_000)}
    path.write_bytes(pickle.dumps(genes))
    with ThreadPoolExecutor(8) as pool:
        for attempt in range(4):
            cache = tmp_path / str(attempt)
            found = [each.result() for each in [pool.submit(kept_as_json, path, cache) for _ in range(8)]]
            assert all(one == genes for one in found)
            assert len(list((cache / "dictionaries").iterdir())) == 1


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_damaged_weights_are_one_sentence(form: str, tmp_path: Path) -> None:
    """Cut off or with some bytes changed, a file is refused by name, or is one of other values."""
    path = tmp_path / f"model.{'safetensors' if form == 'safetensors' else 'bin'}"
    state = {f"layer.{i}.weight": torch.ones(4, 4) * i for i in range(5)}
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    said = refusals(read_tensors, path, path.read_bytes(), 80)
    assert len(said) > 40
    assert all(str(path) in one for one in said)


def test_damaged_dictionaries_are_one_sentence(tmp_path: Path) -> None:
    """Pickles and JSON alike."""
    genes = {f"ENSG{i}": np.float64(i) for i in range(30)}
    for suffix, content in ((".pkl", pickle.dumps(genes)), (".json", json.dumps(genes).encode())):
        path = tmp_path / f"genes{suffix}"
        said = refusals(read_dictionary, path, content, 300)
        assert len(said) > 150
        assert all(str(path) in one for one in said)


def refusals(read: Callable[[Path], object], path: Path, content: bytes, times: int) -> list[str]:
    """Return what is said of the content cut off and with some bytes changed, in turns; nothing if it can be read."""
    generator, said = random.Random(1), []
    for attempt in range(times):
        spoilt = bytearray(content[: generator.randrange(1, len(content))] if attempt % 2 else content)
        for _ in range(0 if attempt % 2 else generator.choice((1, 3, 10))):
            spoilt[generator.randrange(len(spoilt))] = generator.randrange(256)
        path.write_bytes(spoilt)
        try:
            read(path)
        except UsageProblem as problem:
            said.append(str(problem))
    return said
