"""SCimilarity: upstream's embedding at full shape, files that are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import drawn_state, genes_in_order, with_batch_norms

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.families.scimilarity.adapter import SCimilarity
from zsgate.models.families.scimilarity.load import load
from zsgate.models.families.scimilarity.network import SCimilarityNetwork, SCimilarityShape, random_state
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.testing import some_cells

GOLDEN = Path(__file__).parents[2] / "golden" / "scimilarity_outputs.npz"
FULL = SCimilarityShape(28_231, (1024, 1024, 1024), 128)


@pytest.fixture(scope="module")
def full(tiny_scimilarity: SCimilarity) -> SCimilarity:
    """Return the model of v1.1's shape whose outputs upstream's code was asked for."""
    state = with_batch_norms(drawn_state(FULL.tensors(), 7))
    genes = GeneOrder(tuple(genes_in_order(some_cells(4).symbols.tolist(), FULL.n_genes)))
    return replace(tiny_scimilarity, state=state, shape=FULL, genes=genes)


def test_rows_are_upstreams_at_full_shape(full: SCimilarity) -> None:
    """Alignment, log-normalisation, encoder and norm of four real cells, to 1e-6 of rows of length 1."""
    rows = full.embed(some_cells(4))
    np.testing.assert_allclose(rows, np.load(GOLDEN)["rows"], atol=1e-6, rtol=0)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_the_published_genes_cover_real_cells(shared_data: Path) -> None:
    """v1.1's 28,231 symbols are read, and nearly all counts of pancreas cells are in them."""
    genes = GeneOrder.read(shared_data / "weights" / "scimilarity" / "gene_order.tsv")
    assert len(genes) == FULL.n_genes
    coverage = genes.coverage(some_cells(24), model="scimilarity", gene_ids="symbol")
    assert coverage.share_counts > 0.9
    assert coverage.n_mapped > 13_000


def test_the_card_says_that_labels_were_used(tiny_scimilarity: SCimilarity) -> None:
    """Of the published model; of own weights nothing is known."""
    assert any("cell-type labels" in note for note in CHECKPOINTS["scimilarity_v1_1"].notes)
    assert not any("cell-type labels" in note for note in tiny_scimilarity.info.notes)


def test_fewer_than_5000_genes_in_common_are_refused(tiny_scimilarity: SCimilarity, few_cells: Dataset) -> None:
    """As upstream refuses them, also where all of them are known; a gene more is enough."""
    known = np.flatnonzero(tiny_scimilarity.genes.columns(few_cells.symbols) >= 0)
    most = known[np.argsort(-few_cells.counts.getnnz(axis=0)[known], kind="stable")][:5000]
    tiny_scimilarity.check(few_cells.with_genes(np.sort(most)))
    with pytest.raises(UsageProblem, match="4,999 genes are in common, and the model reads data with 5,000 of its"):
        tiny_scimilarity.check(few_cells.with_genes(np.sort(most[1:])))


def test_the_twin_is_drawn_as_upstream_draws(tiny_scimilarity: SCimilarity, handful: Dataset) -> None:
    """Linear layers within 1/sqrt(n_in), norms 1, 0, 0 and 1, slopes 0.25; rows by seed."""
    shape = tiny_scimilarity.shape
    state = random_state(shape, 1)
    assert state["network.0.1.weight"].abs().max() == pytest.approx(shape.n_genes**-0.5, rel=1e-3)
    assert state["network.1.1.bias"].abs().max() <= 32**-0.5
    assert {name: float(state[f"network.1.{name}"][0]) for name in ("2.weight", "2.bias", "3.weight")} == {
        "2.weight": 1.0,
        "2.bias": 0.0,
        "3.weight": 0.25,
    }
    assert (state["network.0.2.running_mean"] == 0).all()
    assert (state["network.0.2.running_var"] == 1).all()
    rows = [tiny_scimilarity.random_init(seed).embed(handful) for seed in (1, 1, 2)]
    assert np.array_equal(rows[0], rows[1])
    assert not np.allclose(rows[0], rows[2], atol=1e-2)


def renamed(state: dict[str, torch.Tensor]) -> None:
    state["network.0.0.weight"] = state.pop("network.0.1.weight")


def misshapen(state: dict[str, torch.Tensor]) -> None:
    state["network.1.1.weight"] = state["network.1.1.weight"].T


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (renamed, r"1 missing: network.0.1.weight; 1 unknown: network.0.0.weight"),
        (misshapen, r"1 misshapen: network.1.1.weight \(32, 16\) for \(16, 32\)"),
        (lambda state: state.update(run=print), "it holds a .*print, of which nothing was executed"),
    ],
)
def test_another_encoder_is_refused(
    change: Callable[[dict[str, object]], None], says: str, scimilarity_folder: Path, tmp_path: Path
) -> None:
    """A tensor renamed or misshapen, a file that would run code: one sentence, nothing loaded."""
    folder = Path(shutil.copytree(scimilarity_folder, tmp_path / "changed"))
    state = torch.load(folder / "encoder.ckpt", weights_only=True)["state_dict"]
    change(state)
    torch.save({"state_dict": state}, folder / "encoder.ckpt")
    with pytest.raises(UsageProblem, match=says):
        load("scimilarity", weights=folder, device="cpu")


def test_other_files_are_refused(scimilarity_folder: Path, tmp_path: Path) -> None:
    """A truncated encoder, sizes that do not follow one another, genes of another number."""
    folder = Path(shutil.copytree(scimilarity_folder, tmp_path / "changed"))
    content = (folder / "encoder.ckpt").read_bytes()
    (folder / "encoder.ckpt").write_bytes(content[:-500])
    with pytest.raises(UsageProblem, match="truncated, altered or not a weight file"):
        load("scimilarity", weights=folder, device="cpu")
    (folder / "layer_sizes.json").write_text(json.dumps({"network.0.1.weight": [32, 7], "network.1.weight": [8, 32]}))
    with pytest.raises(UsageProblem, match=r"does not state the layers .*: 32 x 7, 8 x 32"):
        load("scimilarity", weights=folder, device="cpu")
    with pytest.raises(UsageProblem, match="preset 'paper' is none of official"):
        load("scimilarity", weights=scimilarity_folder, device="cpu", preset="paper")


def test_a_batch_norm_is_part_of_its_product(tiny_scimilarity: SCimilarity) -> None:
    """Folding the norm into the layer leaves torch's outputs in eval mode."""
    state = tiny_scimilarity.state
    assert state is not None
    block = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(32, 16), torch.nn.BatchNorm1d(16), torch.nn.PReLU())
    names = {name.removeprefix("network.1."): each for name, each in state.items() if name.startswith("network.1.")}
    block.load_state_dict(names, strict=False)
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    network = SCimilarityNetwork.of(state, tiny_scimilarity.shape)
    folded = torch.nn.functional.prelu(network.layers[0](x), network.slopes[1])
    torch.testing.assert_close(folded, block.eval()(x), atol=1e-6, rtol=1e-6)
