"""A Geneformer embeds the same in whatever form a lab has saved it, and what another model could be in is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.adapter import predicts_genes
from zsgate.models.families.geneformer.adapter import GeneformerEncoder
from zsgate.models.families.geneformer.load import load

State = dict[str, torch.Tensor]


@pytest.fixture(params=["geneformer_v1_10m", "geneformer_v2_104m"])
def folder(request: pytest.FixtureRequest, geneformer_folders: dict[str, Path], tmp_path: Path) -> Path:
    """Return a copy of a tiny Geneformer, of either version, that a test may rewrite."""
    return Path(shutil.copytree(geneformer_folders[request.param], tmp_path / "islet_model"))


@pytest.fixture
def v1(geneformer_folders: dict[str, Path], tmp_path: Path) -> Path:
    """Return a copy of a tiny Geneformer that a test may spoil."""
    return Path(shutil.copytree(geneformer_folders["geneformer_v1_10m"], tmp_path / "islet_model"))


@pytest.fixture
def dozen(handful: Dataset) -> Dataset:
    """Return twelve real cells."""
    return handful.subset(np.arange(12), name="dozen")


def read(folder: Path) -> GeneformerEncoder:
    """Load the folder as somebody's own Geneformer."""
    return load("geneformer", weights=folder, device="cpu", offline=True, cache=folder.parent / "cache")


def rewrite(folder: Path, edit: Callable[[State], Mapping[str, torch.Tensor]]) -> None:
    """Change the tensors of the folder's model."""
    state = edit(load_file(folder / "model.safetensors"))
    save_file({name: tensor.clone() for name, tensor in state.items()}, folder / "model.safetensors")


def set_sizes(folder: Path, **sizes: object) -> None:
    """Change what the folder's config.json states."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | sizes))


@pytest.mark.parametrize("saved", ["BertForMaskedLM", "BertForSequenceClassification", "BertForTokenClassification"])
@pytest.mark.parametrize("shards", [False, True], ids=["one_file", "shards"])
def test_what_transformers_saves_embeds_the_same(folder: Path, dozen: Dataset, saved: str, shards: bool) -> None:
    """Transformers' own classes write config.json and tensors, with their heads, whole or in shards."""
    import transformers

    before = read(folder).embed(dozen)
    config = transformers.BertConfig.from_pretrained(folder)
    model = getattr(transformers, saved)(config)
    absent = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False).missing_keys
    assert not [
        name for name in absent if not name.startswith(("classifier.", "bert.pooler.", "cls.predictions.decoder."))
    ]
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="50KB" if shards else "1GB")
    assert (folder / "model.safetensors.index.json").exists() is shards
    after = read(folder)
    np.testing.assert_allclose(after.embed(dozen), before, atol=1e-6)
    assert predicts_genes(after) is (saved == "BertForMaskedLM")
    if shards:
        assert len([name for name, _ in after.info.weights if re.fullmatch(r"model-\d+-of-\d+.safetensors", name)]) > 2


def test_a_bare_bert_model_embeds_the_same(folder: Path, dozen: Dataset) -> None:
    """Transformers' BertModel writes its names without bert., and a pooler that is left out; there is no head."""
    import transformers

    before = read(folder).embed(dozen)
    state = load_file(folder / "model.safetensors")
    model = transformers.BertModel(transformers.BertConfig.from_pretrained(folder))
    model.load_state_dict({name.removeprefix("bert."): each for name, each in state.items()}, strict=False)
    model.save_pretrained(folder)
    assert "encoder.layer.0.output.dense.weight" in load_file(folder / "model.safetensors")
    after = read(folder)
    np.testing.assert_allclose(after.embed(dozen), before, atol=1e-6)
    assert after.left_out == ("bert.pooler.dense.bias", "bert.pooler.dense.weight")
    assert not predicts_genes(after)
    assert "has no masked-gene head" in after.info.notes
    assert not np.array_equal(after.random_init(0).embed(dozen), after.embed(dozen))


@pytest.mark.parametrize("wrapper", ["base_model.model.", "module.", "model.module.", "_orig_mod."])
def test_wrapped_names_embed_the_same(folder: Path, dozen: Dataset, wrapper: str) -> None:
    """What peft (merged), DataParallel, Lightning and compile put before every name is left out."""
    before = read(folder).embed(dozen)
    rewrite(folder, lambda state: {wrapper + name: tensor for name, tensor in state.items()})
    np.testing.assert_allclose(read(folder).embed(dozen), before, atol=1e-6)


@pytest.mark.parametrize("multiple", [8, 64])
def test_padded_tables_embed_and_predict_the_same(folder: Path, dozen: Dataset, multiple: int) -> None:
    """Rows of no token, which fast kernels want, change neither embedding nor prediction."""
    before = read(folder)
    n_tokens = len(before.genes.tokens)
    n_rows = (n_tokens // multiple + 1) * multiple

    def padded(state: State) -> State:
        for name, tensor in state.items():
            if len(tensor) == n_tokens:
                more = torch.full((n_rows - n_tokens, *tensor.shape[1:]), 7.0)
                state[name] = torch.cat([tensor, more])
        return state

    rewrite(folder, padded)
    set_sizes(folder, vocab_size=n_rows)
    after = read(folder)
    np.testing.assert_allclose(after.embed(dozen), before.embed(dozen), atol=1e-6)
    assert predicts_genes(before)
    assert predicts_genes(after)
    for one, other in zip(before.reconstruct(dozen, masked=0.4), after.reconstruct(dozen, masked=0.4), strict=True):
        head = "log_probability"
        np.testing.assert_allclose(other.predictions[head], one.predictions[head], atol=1e-5)


def test_a_table_with_many_more_rows_is_another_vocabularys(v1: Path) -> None:
    """Rows for 200 more tokens are no padding, nor is one more row that makes no multiple of 8."""
    n_tokens = len(read(v1).genes.tokens)
    for more in (200 - n_tokens % 8, 1 if (n_tokens + 1) % 8 else 2):
        set_sizes(v1, vocab_size=n_tokens + more)
        with pytest.raises(UsageProblem, match=r"the token dictionary has .* tokens, the model"):
            read(v1)


@pytest.mark.parametrize(
    "stranger",
    [
        "bert.encoder.layer.0.attention.self.query.lora_A.default.weight",
        "base_model.model.bert.encoder.layer.0.attention.self.query.base_layer.weight",
        "lora_embedding_A",
    ],
)
def test_adapters_that_are_not_merged_are_refused(v1: Path, stranger: str) -> None:
    """Without its adapter the base would be judged, so nothing is loaded; the sentence says what to do."""
    rewrite(v1, lambda state: state | {stranger: torch.zeros(2, 2)})
    with pytest.raises(UsageProblem, match=r"a LoRA adapter that is not merged.*merge_and_unload"):
        read(v1)


def test_an_adapter_alone_is_refused(v1: Path) -> None:
    """What peft saves by itself is no model: it is the only file there, and told for what it is."""
    (v1 / "model.safetensors").unlink()
    save_file({"base_model.model.q.lora_A.weight": torch.zeros(2, 2)}, v1 / "adapter_model.safetensors")
    with pytest.raises(UsageProblem, match=r"adapter_model.safetensors holds a LoRA adapter that is not merged"):
        read(v1)


def test_numbers_that_are_steps_of_a_scale_are_refused(v1: Path) -> None:
    """Tensors in 8 bits would be read as if their scale were 1."""
    name = "bert.encoder.layer.0.output.dense.weight"
    rewrite(v1, lambda state: state | {name: state[name].to(torch.int8)})
    with pytest.raises(UsageProblem, match=f"1 not of 16, 32 or 64 bit floating point: {name}"):
        read(v1)


def test_half_a_head_is_refused(v1: Path) -> None:
    """A file cut short is no encoder without a head."""
    rewrite(v1, lambda state: {name: each for name, each in state.items() if name != "cls.predictions.bias"})
    with pytest.raises(UsageProblem, match=r"1 missing: cls\.predictions\.bias"):
        read(v1)


@pytest.mark.parametrize("content", [{}, {"weight_map": {"a": "../model.safetensors"}}, {"weight_map": {"a": "b.bin"}}])
def test_a_wrong_index_of_shards_is_refused(v1: Path, content: dict[str, object]) -> None:
    """An index names files that are beside it and nowhere else."""
    (v1 / "model.safetensors").unlink()
    (v1 / "model.safetensors.index.json").write_text(json.dumps(content))
    with pytest.raises(UsageProblem, match=r"index.json names (no files of tensors|files that are not beside it)"):
        read(v1)


def test_two_files_that_may_be_the_model_are_refused(v1: Path) -> None:
    """Which of two is meant is not guessed; the only one is taken whatever it is called."""
    before = read(v1).fingerprint
    (v1 / "model.safetensors").rename(v1 / "epoch_3.safetensors")
    assert read(v1).fingerprint == before
    shutil.copyfile(v1 / "epoch_3.safetensors", v1 / "epoch_4.safetensors")
    with pytest.raises(UsageProblem, match=r"several files that may be the model: epoch_3.safetensors, epoch_4"):
        read(v1)
