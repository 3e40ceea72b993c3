"""Files of checkpoints: found, checked, refused; nothing in them is ever executed."""

from __future__ import annotations

import hashlib
import pickle
import re
from pathlib import Path

import pytest
import torch
from damage import refusals
from safetensors.torch import save_file

from zsgate.errors import UsageProblem
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.tensors import match_tensors, read_part, read_tensors
from zsgate.models.pretrained.weights import find_files, read_names_and_values


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
    assert sum(file.sha256 is not None for file in files) == 25
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
        ("scfoundation_cell", "scfoundation"),
    ):
        for file in CHECKPOINTS[name].files:
            path = folder / place / file.name
            if path.exists():
                assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
                checked += 1
    assert checked == 11


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


def test_a_changed_number_in_an_archive_is_noticed(tmp_path: Path) -> None:
    """The format has checksums, which torch does not look at."""
    path = tmp_path / "model.bin"
    torch.save({"layer.weight": torch.full((4, 4), 1.5)}, path)
    content = path.read_bytes()
    number = torch.tensor(1.5).numpy().tobytes()
    path.write_bytes(content.replace(number, b"\1" + number[1:], 1))
    with pytest.raises(UsageProblem, match=r"altered or not a weight file: the checksum of .*data/0 does not fit"):
        read_tensors(path)


def test_nobody_is_advised_to_run_code(tmp_path: Path) -> None:
    """Of torch's paragraphs on a pickle that it does not load, what is wrong with it is left."""
    path = tmp_path / "model.bin"
    path.write_bytes(pickle.dumps(Path("x")))
    with pytest.raises(UsageProblem) as refused:
        read_tensors(path)
    assert "Re-running" not in str(refused.value)
    assert "arbitrary" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_tensors_are_taken_row_after_row(tmp_path: Path) -> None:
    """Networks read memory: one that lies in it otherwise gave other rows."""
    strided = torch.stack([torch.arange(6.0).view(2, 3)] * 2, dim=-1)[..., 0]
    torch.save({"a": strided}, tmp_path / "model.bin")
    read = read_tensors(tmp_path / "model.bin")
    assert not read["a"].is_contiguous()
    (taken,) = match_tensors(read, {"a": (2, 3)}, where=tmp_path)[0].values()
    assert taken.is_contiguous()
    assert torch.equal(taken, strided)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, number: float) -> None:
    """They may spoil a row that no cell at hand needs."""
    state = {"a": torch.ones(3), "b": torch.tensor([1.0, number])}
    with pytest.raises(UsageProblem, match="holds NaN or infinite numbers in 1 tensors: b"):
        match_tensors(state, {"a": (3,), "b": (2,)}, where=tmp_path)


@pytest.mark.parametrize("name", ["two\nlines", "x" * 5000])
def test_a_strange_name_of_a_tensor_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    """Whatever the file calls it."""
    with pytest.raises(UsageProblem, match=r"1 unknown: (two lines|x+ \.\.\.)$") as refused:
        match_tensors({name: torch.ones(3)}, {}, where=tmp_path)
    assert len(str(refused.value)) < 1500


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({0: torch.zeros(2)}, "something else than tensors by name"),
        ([torch.zeros(2)], "something else than tensors by name"),
        ({"a": 1}, "more than named tensors"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "sparse, complex or quantized: a"),
        ({"a": torch.eye(2).to_sparse()}, "sparse, complex or quantized: a"),
    ],
)
def test_what_is_no_state_dict_is_refused(state: object, says: str, tmp_path: Path) -> None:
    """Numbers for names, values that are no tensors, tensors of which no network is made."""
    torch.save(state, tmp_path / "model.bin")
    with pytest.raises(UsageProblem, match=says):
        read_tensors(tmp_path / "model.bin")


NESTED = {"cell": {"config": {"sizes": [2]}, "state_dict": {"model.a": torch.ones(2)}}, "gene": 1}


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"rde": NESTED["cell"]}, r"holds no model 'cell' with its config and state_dict; it holds rde"),
        ({"cell": {"state_dict": {}}}, "holds no model 'cell' with its config"),
        ({"cell": {"config": {}}}, "something else than tensors by name"),
        ({"cell": {"config": {}, "state_dict": {"a": 1}}}, "more than named tensors"),
        ([1], "it holds a list"),
        ({"cell": {"config": {"run": print}, "state_dict": {}}}, "it holds a .*print, of which nothing was executed"),
    ],
)
def test_one_model_of_several_in_a_file(found: object, says: str, tmp_path: Path) -> None:
    """What wraps its names is left out, its settings come with it; anything else is one sentence."""
    path = tmp_path / "models.ckpt"
    torch.save(NESTED, path)
    state, config = read_part(path, "cell")
    assert (list(state), config) == (["a"], {"sizes": [2]})
    torch.save(found, path)
    with pytest.raises(UsageProblem, match=says):
        read_part(path, "cell")


@pytest.mark.parametrize("content", ["[" * 10**6, "[1]", "", "\xff", "{" + " " * (1 << 26) + "}"])
def test_what_is_no_json_of_names_is_refused(content: str, tmp_path: Path) -> None:
    """Nested without end, of another kind, empty, of other bytes, or larger than any such file."""
    (tmp_path / "config.json").write_text(content, encoding="latin-1")
    with pytest.raises(UsageProblem, match=r"config.json is not JSON of names and values: "):
        read_names_and_values(tmp_path / "config.json")
