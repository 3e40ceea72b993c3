"""The datasets zsgate knows: what is drawn of them never changes, and a file that is another is refused."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from zsgate.data.catalogue.cards import CARDS, card_of
from zsgate.data.catalogue.load import load
from zsgate.data.catalogue.sample import draw_by_donor_and_type
from zsgate.errors import UsageProblem

DRAWN = "c1d3185f8c6f58e7213813984b44c9c73dabca0843b5e4e07a81fe9e5fa1099a"


@pytest.fixture(scope="module")
def whole():
    """Return the 3,274 cells that the quick tier is drawn from."""
    return load("pancreas_hormone2cell")


def test_the_whole_file_is_read_from_raw(whole):
    """Integer counts of 3,274 cells, 9 types, 4 studies, 20 donors; symbols and Ensembl ids of every gene."""
    assert (whole.name, whole.n_cells) == ("pancreas_hormone2cell", 3274)
    assert [len(np.unique(column)) for column in (whole.cell_types, whole.batches, whole.donors)] == [9, 4, 20]
    assert all(gene.startswith("ENSG") for gene in whole.ensembl.tolist())
    assert np.unique(whole.symbols).size == whole.symbols.size
    assert {"source", "licence", "citation"} <= whole.card.keys()


def test_the_quick_tier_keeps_every_donor_and_type(pancreas, whole):
    """1,500 of them with all 20 donors, 9 types and 4 studies, and the genes that 10 of them express."""
    assert pancreas.n_cells == 1500
    for column in ("cell_types", "batches", "donors"):
        assert set(getattr(pancreas, column)) == set(getattr(whole, column))
    assert np.diff(pancreas.counts.tocsc().indptr).min() >= 10
    rows = [whole.cell_ids.tolist().index(cell) for cell in pancreas.cell_ids[:50]]
    genes = np.flatnonzero(np.isin(whole.ensembl, pancreas.ensembl))
    assert (whole.counts[rows][:, genes] != pancreas.counts[:50]).nnz == 0
    assert "1500 of 3274 cells, drawn by donor and cell type with a fixed seed" in pancreas.card["notes"]


def test_the_draw_is_proportional(pancreas, whole):
    """Every donor and type gets its share of the 1,500, rounded down or up."""
    for donor in np.unique(whole.donors):
        for kind in np.unique(whole.cell_types):
            there, taken = (int(((one.donors == donor) & (one.cell_types == kind)).sum()) for one in (whole, pancreas))
            assert abs(taken - there * 1500 / 3274) < 1, (donor, kind)


def test_the_draw_does_not_depend_on_the_file_s_order(whole):
    """The same cells are drawn from a shuffled file; another number of cells is drawn from the same order."""
    rows = draw_by_donor_and_type(whole, 1500)
    assert (np.diff(rows) > 0).all()
    order = np.random.default_rng(0).permutation(whole.n_cells)
    again = draw_by_donor_and_type(whole.subset(order), 1500)
    assert set(whole.cell_ids[order][again]) == set(whole.cell_ids[rows])
    assert [len(draw_by_donor_and_type(whole, n)) for n in (1, 19, 1000, 3274)] == [1, 19, 1000, 3274]


def test_the_draw_never_changes(pancreas):
    """The names of the 1,500 cells are these for good: a verdict on the quick tier stays comparable."""
    digest = hashlib.sha256("\n".join(sorted(pancreas.cell_ids.tolist())).encode()).hexdigest()
    assert digest == DRAWN


def test_cards_know_their_batches(whole):
    """What collection needs to know without opening a file is what the file holds."""
    for name in ("pancreas_hormone2cell", "pancreas_quick"):
        assert CARDS[name].n_batches == len(np.unique(whole.batches))
    assert all(name == card.name for name, card in CARDS.items())


def test_an_unknown_name_is_refused():
    """The nearest name is offered, and how files are told from names."""
    assert card_of("pancreas_quick") is CARDS["pancreas_quick"]
    with pytest.raises(UsageProblem, match=r"unknown dataset 'pancreas_qick'; did you mean 'pancreas_quick'\?"):
        load("pancreas_qick")
    with pytest.raises(UsageProblem, match=r"unknown dataset 'data/x.zarr'.*; a file's name ends in \.h5ad$"):
        load("data/x.zarr")


def test_without_the_package_it_says_what_to_install(monkeypatch):
    """A missing package is one sentence."""
    monkeypatch.setitem(sys.modules, "hormone2cell", None)
    with pytest.raises(UsageProblem, match=r"comes with the package hormone2cell: pip install 'zsgate\[quickstart\]'"):
        load("pancreas_quick")


def test_another_file_is_refused(monkeypatch, tmp_path):
    """An altered or missing file of the package is never judged on."""
    package = tmp_path / "hormone2cell"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "hormone2cell", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageProblem, match=r"pancreas_downsample200CT.h5ad is missing; reinstall the package"):
        load("pancreas_quick")
    Path(package / CARDS["pancreas_quick"].files[0].name).write_bytes(b"something else")
    with pytest.raises(UsageProblem, match=r"altered: .* [0-9a-f]{64}, published is 95ae.*; reinstall hormone2cell"):
        load("pancreas_quick")
