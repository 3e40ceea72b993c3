"""Reading a Geneformer checkpoint: sizes, versions and the tied head are checked."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file

from zsgate.errors import UsageProblem
from zsgate.models.families.geneformer.load import load
from zsgate.models.pretrained.tensors import read_tensors


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"vocab_size": 70_000}, r"vocab_size is 70,000, more than 65,536"),
        ({"hidden_act": "gelu"}, "hidden_act is"),
        ({"num_hidden_layers": 3.5}, "num_hidden_layers is 3.5"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers is more than 1,000"),
        ({"layer_norm_eps": 10**400}, "layer_norm_eps is 1000"),
        ({"layer_norm_eps": float("inf")}, "layer_norm_eps is inf"),
    ],
)
def test_a_wrong_config_json_is_refused(
    geneformer_folders: dict[str, Path], tmp_path: Path, entry: dict[str, object], complaint: str
) -> None:
    """A config.json the network cannot honour is refused: its ranks hold tokens of 16 bits."""
    folder = Path(shutil.copytree(geneformer_folders["geneformer_v1_10m"], tmp_path / "wide"))
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entry))
    with pytest.raises(UsageProblem, match=complaint):
        load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)


def test_dictionaries_of_another_version_are_refused(geneformer_folders: dict[str, Path], tmp_path: Path) -> None:
    """V2 dictionaries beside V1 weights do not load: the number of tokens gives them away."""
    folder = Path(shutil.copytree(geneformer_folders["geneformer_v1_10m"], tmp_path / "mixed"))
    for path in geneformer_folders["geneformer_v2_104m"].glob("*.pkl"):
        shutil.copyfile(path, folder / path.name.replace("gc104M", "gc30M"))
    with pytest.raises(UsageProblem, match=r"V1 weights .* go with the gc30M dictionaries"):
        load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)


def test_an_untied_head_is_refused(geneformer_folders: dict[str, Path], tmp_path: Path) -> None:
    """A decoder that differs from the embeddings it is tied to is refused; an equal copy is left out."""
    folder = Path(shutil.copytree(geneformer_folders["geneformer_v1_10m"], tmp_path / "untied"))
    state = read_tensors(folder / "model.safetensors")
    words = state["bert.embeddings.word_embeddings.weight"]
    save_file(state | {"cls.predictions.decoder.weight": words.clone()}, folder / "model.safetensors")
    model = load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)
    assert model.left_out == ("cls.predictions.decoder.weight",)
    save_file(state | {"cls.predictions.decoder.weight": words + 1}, folder / "model.safetensors")
    with pytest.raises(UsageProblem, match="to which Geneformer ties it"):
        load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("token_dictionary", {"<pad>": "0"}),
        ("gene_median_dictionary", {"ENSG00000141510": "1.5"}),
        ("ensembl_mapping_dict", {"ENSG00000141510": ["ENSG00000141510"]}),
        ("gene_name_id_dict", {"TP53": 7157}),
    ],
)
def test_a_dictionary_of_other_values_is_refused(
    geneformer_folders: dict[str, Path], tmp_path: Path, name: str, content: dict[str, object]
) -> None:
    """Tokens are whole numbers, medians numbers, names text."""
    folder = Path(shutil.copytree(geneformer_folders["geneformer_v1_10m"], tmp_path / "other"))
    (folder / f"{name}_gc30M.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(UsageProblem, match=rf"{name}_gc30M.pkl is not a readable dictionary of genes: the value of"):
        load("geneformer_v1_10m", weights=folder, device="cpu", cache=tmp_path)
