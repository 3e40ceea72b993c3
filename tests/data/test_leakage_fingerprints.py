"""Fingerprints of cells: copies are found whatever their order and filters, others are not, at the stated rate."""

from __future__ import annotations

import shutil

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from annotated import annotated
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.cli import main
from zsgate.data import read as reading
from zsgate.data.annotations import Columns
from zsgate.data.catalogue.card import Card, File
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.catalogue.files import Shelf
from zsgate.data.leakage.corpus import build_filter
from zsgate.data.leakage.fingerprints import Bloom, Evidence, find_cells, fingerprints, hashed, load, save
from zsgate.errors import UsageProblem


@pytest.fixture(scope="module")
def corpus(pancreas, tmp_path_factory):
    """Write the first half of the cells, genes shuffled, as a corpus; return it."""
    half = pancreas.subset(np.arange(0, pancreas.n_cells, 2))
    adata = annotated(half)
    order = np.random.default_rng(0).permutation(adata.n_vars)
    path = tmp_path_factory.mktemp("corpus") / "corpus.h5ad"
    adata[:, order].copy().write_h5ad(path)
    return path


@given(st.sets(st.integers(0, 2**63), min_size=1, max_size=300), st.floats(1e-4, 0.5))
@settings(deadline=None)
def test_a_filter_never_denies_what_it_holds(numbers, rate):
    """No false negatives, whatever the size and the rate."""
    marks = np.array(sorted(numbers), dtype=np.uint64)
    bloom = Bloom(len(marks), rate)
    bloom.add(marks)
    assert bloom.has(marks).all()


@pytest.mark.parametrize("rate", [0.1, 0.01, 0.001])
def test_the_stated_rate_is_the_rate(rate):
    """20,000 fingerprints in, 200,000 others asked: the share found is the rate, as asked and as stated."""
    numbers = np.random.default_rng(0).integers(0, 2**63, 220_000).astype(np.uint64)
    bloom = Bloom(20_000, rate)
    bloom.add(numbers[:20_000])
    share = bloom.has(numbers[20_000:]).mean()
    assert share == pytest.approx(rate, rel=0.3)
    assert bloom.rate == pytest.approx(share, rel=0.3)


def test_copies_are_found_and_others_are_not(corpus, pancreas):
    """Half of the cells are in the corpus: all of those are found, although the genes are in another order."""
    bloom, n_cells = build_filter([corpus], None, 1e-3)
    assert n_cells == 750
    there, other = (pancreas.subset(np.arange(start, 1500, 2)) for start in (0, 1))
    found = find_cells(bloom, there)
    assert found.found == found.asked > 700
    assert found.seen
    assert find_cells(bloom, other).found == 0
    assert not find_cells(bloom, other).seen
    assert found.rate < 1e-5


def test_copies_survive_the_filter_of_genes(pancreas):
    """The quick tier in the file it is drawn from: 1,500 of 3,274 cells, of whose genes half were filtered out."""
    (path,) = Shelf.usual().files(CARDS["pancreas_quick"]).values()
    bloom, n_cells = build_filter([path], "raw", 1e-3)
    assert n_cells == 3274
    found = find_cells(bloom, pancreas)
    assert found.asked > 1400
    assert found.found > 0.9 * found.asked


def test_one_count_more_changes_one_part():
    """Order does not matter, a single count does; parts without genes enough are not asked."""
    rng = np.random.default_rng(0)
    counts = sp.csr_matrix(rng.poisson(1.0, (5, 1200)).astype(np.float32))
    genes = hashed(np.array([f"G{i}" for i in range(1200)]))
    marks, known = fingerprints(counts, genes)
    assert known.all()
    order = rng.permutation(1200)
    shuffled = sp.csr_matrix(counts[:, order])
    assert (fingerprints(shuffled, genes[order])[0] == marks).all()
    counts.data[0] += 1
    assert (fingerprints(counts, genes)[0] != marks).sum() == 1
    assert not fingerprints(sp.csr_matrix(counts[:, :150]), genes[:150])[1].any()


def test_the_command_line_builds_and_asks(corpus, tmp_path, capsys):
    """``zsgate leakage build`` and ``check``: exit 1 where the dataset was seen; a file that is none is refused."""
    where = tmp_path / "corpus.bloom"
    assert main(["leakage", "build", str(corpus), "-o", str(where)]) == 0
    assert "750 cells" in capsys.readouterr().out
    assert main(["leakage", "check", str(where), "pancreas_quick"]) == 1
    assert "pancreas_quick: seen: " in capsys.readouterr().out
    noise = anndata.AnnData(np.random.default_rng(1).poisson(1.0, (60, 900)).astype(np.float32))
    noise.obs["cell_type"] = list("ab") * 30
    noise.write_h5ad(tmp_path / "noise.h5ad")
    assert main(["leakage", "check", str(where), str(tmp_path / "noise.h5ad")]) == 0
    assert "noise: not seen: 0 of 60 cells are in the corpus" in capsys.readouterr().out
    for bad, says in ((corpus, "is no filter of fingerprints"), (tmp_path / "absent", "no such file")):
        assert main(["leakage", "check", str(bad), "pancreas_quick"]) == 4
        assert says in capsys.readouterr().err


def test_the_command_line_looks_where_a_run_does(corpus, pancreas, place, tmp_path, monkeypatch, capsys):
    """By option or variable: no connection while offline, a mirror's files, large counts in the cache."""
    where, cache, mirror = tmp_path / "corpus.bloom", tmp_path / "cache", tmp_path / "mirror"
    file = File(name="x.h5ad", url=f"{place.home}/x")
    columns = Columns(label="cell_type")
    monkeypatch.setitem(
        CARDS, "made", Card(name="made", files=(file,), columns=columns, source="", licence="", citation="")
    )
    assert main(["leakage", "build", str(corpus), "-o", str(where)]) == 0
    asked = ["leakage", "check", str(where), "made"]
    assert main([*asked, "--offline", "--cache", str(cache)]) == 4
    assert f"put into {cache / 'datasets' / 'made'}" in capsys.readouterr().err
    monkeypatch.setenv("ZSGATE_OFFLINE", "perhaps")
    assert main(asked) == 4
    assert "ZSGATE_OFFLINE: cannot read 'perhaps' as bool" in capsys.readouterr().err
    monkeypatch.setenv("ZSGATE_OFFLINE", "1")
    monkeypatch.setenv("ZSGATE_CACHE", str(cache))
    assert main(asked) == 4
    assert f"put into {cache / 'datasets' / 'made'}" in capsys.readouterr().err
    assert place.asked == []
    adata = annotated(pancreas.subset(np.arange(0, 1500, 10)))
    adata.obs["cell_type"] = ["one", "other"] * 75
    (mirror / "made").mkdir(parents=True)
    adata.write_h5ad(mirror / "made" / "x.h5ad")
    monkeypatch.setenv("ZSGATE_MIRROR", str(mirror))
    monkeypatch.setattr(reading, "IN_MEMORY", 1000)
    for dataset in ("made", str(mirror / "made" / "x.h5ad")):
        assert main(["leakage", "check", str(where), dataset]) == 1
        assert "seen: " in capsys.readouterr().out
        assert list((cache / "prepared").iterdir())
        shutil.rmtree(cache / "prepared")


def test_a_filter_is_read_as_it_was_written(tmp_path):
    """The same bits, without unpickling; a version that is not known is refused."""
    bloom = Bloom(100, 0.01)
    bloom.add(np.arange(100, dtype=np.uint64))
    save(bloom, tmp_path / "x.bloom")
    again = load(tmp_path / "x.bloom")
    assert (again.bits == bloom.bits).all()
    assert again.n_hashes == bloom.n_hashes
    np.savez(tmp_path / "y.npz", bits=bloom.bits, n_hashes=1, version=99)
    with pytest.raises(UsageProblem, match="another version"):
        load(tmp_path / "y.npz")


def test_a_few_chance_hits_are_no_evidence():
    """More than 0.1 % of the cells, and more than ten times what chance gives."""
    assert not Evidence(1, 1500, 1e-6).seen
    assert Evidence(2, 1500, 1e-6).seen
    assert not Evidence(100, 1500, 0.01).seen
