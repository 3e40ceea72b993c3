"""scFoundation: upstream's embedding at full shape, its tokens, files that are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from drawn import drawn_state, genes_in_order
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.families.scfoundation.adapter import ScFoundation
from zsgate.models.families.scfoundation.load import load
from zsgate.models.families.scfoundation.network import ScFoundationShape, random_state
from zsgate.models.families.scfoundation.tokens import ScFoundationTokenizer
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.testing import some_cells

GOLDEN = Path(__file__).parents[2] / "golden" / "scfoundation_outputs.npz"
FULL = ScFoundationShape(19_264, 768, 12, 12, 100, 1.0)
NAME = "OS_scRNA_gene_index.19264.tsv"


def test_rows_are_upstreams_at_full_shape(tiny_scfoundation: ScFoundation) -> None:
    """Tokens, soft bins, twelve layers and both poolings of four real cells, to 1e-5 of values up to 4.4."""
    cells = some_cells(4)
    cells = cells.with_genes(np.arange(0, len(cells.symbols), 8))
    genes = GeneOrder(tuple(genes_in_order(cells.symbols.tolist(), FULL.n_genes)))
    model = replace(tiny_scfoundation, state=drawn_state(FULL.tensors(), 8), shape=FULL, genes=genes)
    rows, golden = model.embed(cells), np.load(GOLDEN)
    np.testing.assert_allclose(rows, golden["all"], atol=1e-5, rtol=0)
    largest = replace(model, pooling="max")
    largest.__dict__["network"] = model.network  # made once, for it is large
    np.testing.assert_allclose(largest.embed(cells), golden["max"], atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_tokens_are_the_expressed_genes_and_two_totals(seed: int) -> None:
    """Known genes with counts in rising order, log1p of 10,000 shares of their sum; then T, which is 4, and S."""
    draws = np.random.default_rng(seed)
    order = GeneOrder(tuple(f"G{place}" for place in range(9)))
    names = np.array([f"G{number}" for number in draws.integers(0, 14, 12)])
    dense = draws.poisson(1.5, (5, 12)).astype(np.float32)
    columns = order.columns(names)
    dense[:, np.flatnonzero(columns >= 0)[:1]] += 2  # each cell has a known gene
    if not (columns >= 0).any():
        return
    tokens = ScFoundationTokenizer(order)(sp.csr_matrix(dense), columns)
    for cell, row in enumerate(dense):
        of_gene = np.array([row[columns == place].sum() for place in range(9)])
        shown, run = np.flatnonzero(of_gene), slice(*tokens.offsets[cell : cell + 2])
        assert tokens.ids[run].tolist() == [*shown.tolist(), 9, 10]
        assert tokens.values is not None
        values = [*np.log1p(of_gene[shown] / of_gene.sum() * 1e4), 4.0, np.log10(of_gene.sum())]
        np.testing.assert_allclose(tokens.values[run], values, rtol=1e-6)
        sources = tokens.columns[run]
        assert sources[-2:].tolist() == [-1, -1]
        assert columns[sources[:-2]].tolist() == shown.tolist()


def test_the_published_genes_cover_real_cells(shared_data: Path) -> None:
    """19,264 symbols are read behind their header, and nearly all counts of pancreas cells are in them."""
    genes = GeneOrder.read(shared_data / "weights" / "scfoundation" / NAME, header="gene_name")
    assert len(genes) == FULL.n_genes
    coverage = genes.coverage(some_cells(24), model="scfoundation", gene_ids="symbol")
    assert coverage.share_counts > 0.9
    assert coverage.n_mapped > 13_000


def test_a_cell_with_a_single_known_count_is_refused(tiny_scfoundation: ScFoundation, handful: Dataset) -> None:
    """Its token S would be 0, which upstream takes for no token, and the totals would change places."""
    counts = handful.counts.copy().tolil()
    known = int(np.flatnonzero(tiny_scfoundation.genes.columns(handful.symbols) >= 0)[0])
    counts[3] = 0
    counts[3, known] = 1
    with pytest.raises(UsageProblem, match=rf"1 cell\(s\) with a single count .*: {handful.cell_ids[3]}; filter"):
        tiny_scfoundation.check(replace(handful, counts=sp.csr_matrix(counts, dtype=np.float32)))


def test_bfloat16_is_close_and_poolings_differ_in_width(
    tiny_scfoundation: ScFoundation, scfoundation_folder: Path, handful: Dataset
) -> None:
    """The encoder in bfloat16 gives rows of the same direction; "max" is as wide as the encoder, with another key."""
    handful = handful.subset(np.arange(8))
    rows = tiny_scfoundation.embed(handful)
    half = load("scfoundation", weights=scfoundation_folder, device="cpu", dtype="bfloat16").embed(handful)
    assert ((rows * half).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(half, axis=1)).min() > 0.999
    largest = load("scfoundation", weights=scfoundation_folder, device="cpu", pooling="max")
    assert (largest.embed(handful).shape[1], rows.shape[1]) == (32, 128)
    assert largest.fingerprint != tiny_scfoundation.fingerprint
    assert "tensors left out: decoder." in tiny_scfoundation.info.notes


def test_the_twin_is_drawn_as_upstream_draws(tiny_scfoundation: ScFoundation) -> None:
    """Embeddings are standard normal, products uniform, attention's by Glorot's rule, norms 1 and 0; by seed."""
    state = random_state(tiny_scfoundation.shape, 1)
    assert state["pos_emb.weight"].std() == pytest.approx(1, rel=0.02)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [torch.nn.TransformerEncoderLayer(32, 4, 128).state_dict() for _ in range(20)]
    for name, drawn in layers[0].items():
        ours, bound = (
            state[f"encoder.transformer_encoder.1.{name}"],
            max(float(each[name].abs().max()) for each in layers),
        )
        assert ours.shape == drawn.shape
        assert float(ours.abs().max()) == pytest.approx(bound, rel=0.05)
    again = random_state(tiny_scfoundation.shape, 1)
    assert all(torch.equal(state[name], again[name]) for name in state)


Change = Callable[[dict[str, Any]], None]


def settings_of(found: dict[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = found["cell"]["config"]["model_config"]["mae_autobin"]
    return inner


def renamed(found: dict[str, Any]) -> None:
    state = found["cell"]["state_dict"]
    state["model.encoder.norm.scale"] = state.pop("model.encoder.norm.weight")


def misshapen(found: dict[str, Any]) -> None:
    found["cell"]["state_dict"]["model.token_emb.mlp.weight"] = torch.zeros(10, 2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (renamed, r"1 missing: encoder.norm.weight; 1 unknown: encoder.norm.scale"),
        (misshapen, r"1 misshapen: token_emb.mlp.weight \(10, 2\) for \(10, 1\)"),
        (lambda found: found.pop("cell"), "holds no model 'cell' with its config and state_dict; it holds rde, gene"),
        (lambda found: found.update(run=print), "it holds a .*print, of which nothing was executed"),
        (lambda found: settings_of(found).update(seq_len=19_266), "seq_len is 19266, not "),
        (lambda found: settings_of(found).pop("bin_num"), "bin_num is None"),
        (lambda found: settings_of(found).update(bin_alpha="one"), "bin_alpha is 'one'"),
        (lambda found: settings_of(found).update(encoder={}), "hidden_dim is None; depth is None; heads is None"),
        (lambda found: settings_of(found)["encoder"].update(heads=5), "hidden_dim is no multiple of heads"),
        (lambda found: settings_of(found)["encoder"].update(norm_first=True), "norm_first is True, not False"),
        (lambda found: settings_of(found)["encoder"].update(depth=10**6), "layers is more than 1,000"),
    ],
)
def test_another_encoder_is_refused(change: Change, says: str, scfoundation_folder: Path, tmp_path: Path) -> None:
    """Tensors or settings of another network, a file that would run code: one sentence, nothing loaded."""
    folder = Path(shutil.copytree(scfoundation_folder, tmp_path / "changed"))
    found = torch.load(folder / "models.ckpt", weights_only=True)
    change(found)
    torch.save(found, folder / "models.ckpt")
    with pytest.raises(UsageProblem, match=says):
        load("scfoundation", weights=folder, device="cpu")


def test_a_truncated_file_and_other_settings_are_refused(scfoundation_folder: Path, tmp_path: Path) -> None:
    """One sentence each."""
    folder = Path(shutil.copytree(scfoundation_folder, tmp_path / "changed"))
    (folder / "models.ckpt").write_bytes((folder / "models.ckpt").read_bytes()[:-500])
    with pytest.raises(UsageProblem, match="truncated, altered or not a weight file"):
        load("scfoundation", weights=folder, device="cpu")
    for option in ({"preset": "paper"}, {"pooling": "mean"}):
        with pytest.raises(UsageProblem, match="is none of "):
            load("scfoundation", weights=scfoundation_folder, device="cpu", **option)  # type: ignore[arg-type]
