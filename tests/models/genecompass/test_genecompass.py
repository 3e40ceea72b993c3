"""GeneCompass against upstream's module and preprocess.py, what its adapter promises, and what its loader refuses."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from make_genecompass import FULL, SMALL, genecompass_weights, golden_cells, golden_genes

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models import load as load_by_name
from zsgate.models.families.genecompass.adapter import GeneCompass
from zsgate.models.families.genecompass.checkpoints import CONFIG, MEDIANS, MODEL, NAMES, TOKENS
from zsgate.models.families.genecompass.genes import GeneCompassGenes
from zsgate.models.families.genecompass.load import load
from zsgate.models.families.genecompass.network import MIX, SPECIES, GeneCompassShape, knowledge, random_state
from zsgate.models.families.genecompass.tokens import GeneCompassTokenizer
from zsgate.testing import AdapterContract

GOLDEN = Path(__file__).parents[2] / "golden" / "genecompass_outputs.npz"


def with_golden(model: GeneCompass, shape: GeneCompassShape) -> GeneCompass:
    """Return the model with the weights and the genes of the golden file."""
    state, (tokens, medians) = genecompass_weights(shape), golden_genes(golden_cells())
    human = {gene: token for gene, token in tokens.items() if gene.startswith("ENSG")}
    genes = GeneCompassGenes(human, medians, {}, len(tokens))
    priors = {name: state.pop(name) for name in shape.priors()}
    return replace(model, state=state, priors=priors, shape=shape, genes=genes)


@pytest.mark.parametrize(
    ("shape", "name"), [(SMALL, "small"), pytest.param(FULL, "full", marks=pytest.mark.slow)], ids=["small", "full"]
)
def test_rows_are_upstreams(tiny_genecompass: GeneCompass, shape: GeneCompassShape, name: str) -> None:
    """From counts to class token: values, ranks, prior knowledge and layers of four real cells, to 1e-5."""
    known = np.load(GOLDEN)[name]
    assert np.abs(known - known[0]).max(axis=1)[1:].min() > 1e-2, "the cells differ, or this would test nothing"
    rows = with_golden(tiny_genecompass, shape).embed(golden_cells())
    np.testing.assert_allclose(rows, known, atol=1e-5, rtol=0)


def test_tokens_are_upstreams(tiny_genecompass: GeneCompass) -> None:
    """Four real cells, as preprocess.py makes them: the same genes in the same order, values to float32 rounding."""
    golden, cells = np.load(GOLDEN), golden_cells()
    model = with_golden(tiny_genecompass, SMALL)
    tokens = model._tokeniser(cells)(0, cells.n_cells)
    assert tokens.values is not None
    for cell, length in enumerate(golden["lengths"]):
        run = slice(tokens.offsets[cell] + 1, tokens.offsets[cell + 1])
        np.testing.assert_array_equal(tokens.ids[run], golden["ids"][cell, :length])
        np.testing.assert_allclose(tokens.values[run], golden["values"][cell, :length], rtol=3e-7)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_tokens_are_ranked_by_count_over_median(seed: int, most: int) -> None:
    """Columns of a gene are summed, a gene without a median has 1, the foremost are kept behind the class token."""
    draws = np.random.default_rng(seed)
    tokens = {f"ENSG{place}": place + 2 for place in range(9)}
    medians = {gene: float(draws.choice([0.5, 1.0, 2.5])) for gene in list(tokens)[:7]}
    genes = GeneCompassGenes(tokens, medians, {}, 12)
    names = np.array([f"ensg{number}.2" for number in draws.integers(0, 14, 12)])
    columns = genes.columns(names, names)
    assert columns.tolist() == [tokens.get(name.upper()[:-2], -1) for name in names.tolist()]
    dense = draws.poisson(1.5, (5, 12)).astype(np.float32)
    found = GeneCompassTokenizer(genes, most)(sp.csr_matrix(dense), columns)
    assert found.values is not None
    for cell, row in enumerate(dense):
        scaled = {
            token: row[columns == token].sum() / medians.get(gene, 1.0)
            for gene, token in tokens.items()
            if row[columns == token].sum()
        }
        ranked = sorted(scaled, key=lambda token: (-scaled[token], token))[:most]
        run = slice(*found.offsets[cell : cell + 2])
        assert found.ids[run].tolist() == [0, *ranked]
        np.testing.assert_allclose(found.values[run], [0, *(np.log2(1 + scaled[token]) for token in ranked)], rtol=1e-6)
        sources = found.columns[run]
        assert sources[0] == -1
        assert columns[sources[1:]].tolist() == ranked


class TestContract(AdapterContract):
    """The ten rules of every adapter."""

    @pytest.fixture
    def adapter(self, tiny_genecompass: GeneCompass) -> GeneCompass:
        """Return the tiny GeneCompass."""
        return tiny_genecompass

    @pytest.fixture
    def cells(self, few_cells: Dataset) -> Dataset:
        """Return 12 real cells."""
        return few_cells.subset(np.arange(0, 240, 20))


def test_the_card_says_what_is_chosen_and_unknown(tiny_genecompass: GeneCompass) -> None:
    """The row's definition, the heads that are left out, and of published ones that no licence is stated."""
    from zsgate.models.pretrained.checkpoints import CHECKPOINTS

    said = " | ".join(tiny_genecompass.info.notes)
    for words in ("experimental", "this project's choice", "human cells only", "heads that predict", "cls4value."):
        assert words in said
    assert tiny_genecompass.info.dimensions == SMALL.bert.hidden_size
    for name in ("genecompass_base", "genecompass_small"):
        assert CHECKPOINTS[name].weights_licence.startswith("none stated")


def test_symbols_stand_in_for_ids(tiny_genecompass: GeneCompass, handful: Dataset) -> None:
    """Without Ensembl ids genes are found by their names; what is known is about the same, and said."""
    by_id = tiny_genecompass.coverage(handful)
    by_name = tiny_genecompass.coverage(replace(handful, ensembl=None))
    assert (by_id.gene_ids, by_name.gene_ids) == ("ensembl", "symbol")
    assert by_name.n_mapped == pytest.approx(by_id.n_mapped, rel=0.01)
    mouse = replace(handful, ensembl=np.array([f"ENSMUSG{place:011d}" for place in range(len(handful.symbols))]))
    with pytest.raises(UsageProblem, match=r"only 0 of .*mouse genes"):
        tiny_genecompass.check(mouse)


def test_the_twin_reads_the_same_knowledge(tiny_genecompass: GeneCompass, handful: Dataset) -> None:
    """Weights are drawn as BERT's, norms 1, by seed; prior knowledge stays."""
    twin, few = tiny_genecompass.random_init(0), handful.subset(np.arange(3))
    assert twin.priors is tiny_genecompass.priors
    assert np.abs(twin.embed(few) - tiny_genecompass.embed(few)).max() > 1e-2
    state, again = (random_state(tiny_genecompass.shape, 0) for _ in range(2))
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert state[f"{MIX}.cat_ln.weight"].eq(1).all()
    assert state[f"{MIX}.cat_fc.weight"].std() == pytest.approx(0.02, rel=0.05)


def test_bfloat16_is_close(tiny_genecompass: GeneCompass, genecompass_folder: Path, handful: Dataset) -> None:
    """Rows of the encoder in bfloat16 have the same direction."""
    few = handful.subset(np.arange(8))
    rows = tiny_genecompass.embed(few)
    half = load("genecompass", weights=genecompass_folder, device="cpu", dtype="bfloat16").embed(few)
    assert ((rows * half).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(half, axis=1)).min() > 0.999


def unpickled(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = pickle.loads(path.read_bytes())
    return found


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the content of a file of names and values, in whichever of the three formats it is."""
    if path.suffix == ".bin":
        found = torch.load(path, weights_only=True)
        change(found)
        torch.save(found, path)
    elif path.suffix == ".json":
        found = json.loads(path.read_text())
        change(found)
        path.write_text(json.dumps(found))
    else:
        found = unpickled(path)
        change(found)
        path.write_bytes(pickle.dumps(found))


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (MODEL, lambda found: found.pop(SPECIES), "1 missing: bert.cls_embedding.weight"),
        (MODEL, lambda found: found.pop(knowledge("co_exp")), "missing: .*co_exp_knowledge"),
        (MODEL, lambda found: found.update({"bert.more": torch.zeros(2)}), "1 unknown: bert.more"),
        (MODEL, lambda found: found.update({f"{MIX}.cat_fc.weight": torch.zeros(40, 200)}), "1 misshapen: .*cat_fc"),
        (MODEL, lambda found: found.update(run=print), "it holds a .*print, of which nothing was executed"),
        (CONFIG, lambda found: found.update(hidden_act="relu"), "hidden_act is 'relu', not 'gelu'"),
        (CONFIG, lambda found: found.update(use_promoter=False), "use_promoter is not true"),
        (CONFIG, lambda found: found.pop("use_cls_token"), "use_cls_token is not true"),
        (CONFIG, lambda found: found.update(num_attention_heads=3), "no multiple of num_attention_heads"),
        (TOKENS, lambda found: found.update(ENSG1=7), "does not number its tokens 0, 1, 2"),
        (TOKENS, lambda found: found.update(ENSG1=len(found)), r"tokens, pytorch_model.bin "),
        (TOKENS, lambda found: found.update(ENSG1=print), "not a readable dictionary of genes"),
        (MEDIANS, lambda found: found.update({max(found): 0.0}), "positive medians.* has 0.0"),
        (MEDIANS, lambda found: found.update({max(found): float("nan")}), "positive medians.* has nan"),
        (MEDIANS, lambda found: found.clear(), "positive medians.*: 0 of "),
        (NAMES, lambda found: found.update(ENSG1=3), "not a readable dictionary of genes"),
    ],
)
def test_other_files_are_refused(
    name: str, change: Callable[[dict[str, Any]], object], says: str, genecompass_folder: Path, tmp_path: Path
) -> None:
    """Tensors, settings or genes of something else, a file that would run code: one sentence, nothing loaded."""
    folder = Path(shutil.copytree(genecompass_folder, tmp_path / "changed"))
    rewrite(folder / name, change)
    with pytest.raises(UsageProblem, match=says):
        load("genecompass", weights=folder, device="cpu", offline=True)


@pytest.mark.parametrize("name", [MODEL, CONFIG, TOKENS, MEDIANS, NAMES])
def test_truncated_and_absent_files_are_refused(genecompass_folder: Path, tmp_path: Path, name: str) -> None:
    """Each of the five."""
    folder = Path(shutil.copytree(genecompass_folder, tmp_path / "changed"))
    (folder / name).write_bytes((folder / name).read_bytes()[:-50])
    with pytest.raises(UsageProblem, match=r"cannot be read as model weights|is not JSON|not a readable dictionary"):
        load("genecompass", weights=folder, device="cpu", offline=True)
    (folder / name).unlink()
    with pytest.raises(UsageProblem, match=r"1 file\(s\) are not in "):
        load("genecompass", weights=folder, device="cpu", offline=True)


def test_other_settings_are_refused(genecompass_folder: Path) -> None:
    """The paper's preset, a choice of pooling, which this model does not offer, and a published name of other depth."""
    with pytest.raises(UsageProblem, match="is not that of genecompass_base, which has 12 layers: 2"):
        load("genecompass_base", weights=genecompass_folder, device="cpu")
    with pytest.raises(UsageProblem, match="preset 'paper' is none of official"):
        load("genecompass", weights=genecompass_folder, device="cpu", preset="paper")
    with pytest.raises(UsageProblem, match="genecompass: unknown setting 'pooling'"):
        load_by_name("genecompass", weights=genecompass_folder, pooling="last")
