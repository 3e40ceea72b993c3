"""From public files to datasets: on small files of the very structure of the paper's five."""

from __future__ import annotations

import pickle
import resource
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from public_files import TECHNOLOGIES, tenx_archive, write_all

from zsgate.data.catalogue import builders
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.catalogue.files import Shelf, home_of
from zsgate.data.catalogue.load import load
from zsgate.data.catalogue.paper import POPULATIONS
from zsgate.data.catalogue.safe_pickle import read_pbmc_metadata
from zsgate.errors import UsageProblem


@pytest.fixture(scope="module")
def mirror(few_cells, tmp_path_factory):
    """Return a mirror with small files of the paper's five datasets."""
    return write_all(tmp_path_factory.mktemp("mirror"), few_cells)


@pytest.fixture
def made(mirror, tmp_path, monkeypatch):
    """Return a function that loads a dataset of the catalogue from the small files; their digests are not known."""
    for name, card in CARDS.items():
        files = tuple(replace(file, sha256=None, n_bytes=None) for file in card.files)
        monkeypatch.setitem(CARDS, name, replace(card, files=files))
    return lambda name: load(name, Shelf(tmp_path, mirror=str(mirror), offline=True))


def values(dataset, cell, rows_of):
    """Return the counts of a cell by gene symbol, genes without a count left out."""
    row = dataset.counts[rows_of.index(cell)]
    return dict(zip(dataset.symbols[row.indices].tolist(), row.data.tolist(), strict=True))


def test_pancreas_has_six_batches_and_rounded_counts(made, few_cells):
    """The inDrop runs are one batch; a count of 3.25 is read as 3; verdicts speak for cells, as no donor is named."""
    dataset = made("pancreas")
    assert set(dataset.batches) == {"celseq", "celseq2", "fluidigmc1", "indrop", "smarter", "smartseq2"}
    assert (dataset.donors, dataset.scope) == (None, "cells")
    assert "rounded" in " ".join(dataset.card["notes"])
    cell = few_cells.cell_ids[7]
    here, there = (values(one, cell, one.cell_ids.tolist()) for one in (dataset, few_cells))
    assert here == {gene: count for gene, count in there.items() if gene in set(dataset.symbols.tolist())}


def test_pancreas_has_two_named_variants(made):
    """Nine batches as in the file; and without the cells that Geneformer saw."""
    assert set(made("pancreas_9_batches").batches) == set(TECHNOLOGIES)
    whole, rest = made("pancreas"), made("pancreas_no_overlap")
    assert set(rest.batches) == set(whole.batches) - {"indrop"}
    assert set(rest.cell_ids) == set(whole.cell_ids[whole.batches != "indrop"])
    assert np.diff(rest.counts.tocsc().indptr).min() >= 10


def test_pbmc_12k_is_what_scvi_tools_makes(made, few_cells):
    """Genes and their order of gene_info.csv, batches 0 and 1, the cell renamed -11 dropped, as in scvi-tools."""
    dataset = made("pbmc_12k")
    half = few_cells.n_cells // 2
    assert dataset.n_cells == 2 * half - 1
    assert dict(zip(*np.unique(dataset.batches, return_counts=True), strict=True)) == {"0": half - 1, "1": half}
    order = {gene: place for place, gene in enumerate(few_cells.ensembl.tolist())}
    places = [order[gene] for gene in dataset.ensembl.tolist()]
    assert places == sorted(places, reverse=True)
    assert (dataset.cell_types[:5] == few_cells.cell_types[:5]).all()
    # the barcode that both have: the label of the first, the counts of the second
    assert dataset.cell_types[half - 1] == few_cells.cell_types[half - 1]
    here = values(dataset, dataset.cell_ids[half - 1], dataset.cell_ids.tolist())
    there = values(few_cells, few_cells.cell_ids[half], few_cells.cell_ids.tolist())
    assert here == {gene: count for gene, count in there.items() if gene in set(dataset.symbols.tolist())}


def test_pbmc_95k_is_the_ten_populations(made, few_cells):
    """Every population is a label, cells of the same barcode are told apart, one batch only."""
    dataset = made("pbmc_95k")
    assert set(dataset.cell_types) == set(POPULATIONS)
    assert dataset.n_cells == few_cells.n_cells
    assert dataset.batches is None
    assert dataset.counts.sum() == few_cells.counts[:, np.isin(few_cells.ensembl, dataset.ensembl)].sum()


def test_immune_takes_donor_and_chemistry_as_batch(made, few_cells):
    """Batches are donors and chemistries; the variant takes donors alone."""
    dataset = made("immune")
    donors = np.unique(few_cells.donors)
    assert set(dataset.batches) == {f"{donor} / {kind}" for donor in donors for kind in ("5v1", "5v2")}
    assert set(dataset.donors) == set(donors) == set(made("immune_by_donor").batches)
    assert "31 batches" in " ".join(dataset.card["notes"])


def test_tabula_sapiens_is_unpacked_once(made, mirror, tmp_path):
    """Tissues are the labels, ids lose their version; the variant takes the cell types; the mirror is not touched."""
    dataset = made("tabula_sapiens")
    assert set(dataset.cell_types) == {"Blood", "Fat", "Skin"}
    assert all(gene.startswith("ENSG") and "." not in gene for gene in dataset.ensembl.tolist())
    unpacked = tmp_path / "datasets" / "tabula_sapiens" / "TabulaSapiens.h5ad"
    before = unpacked.stat().st_mtime_ns
    assert len(set(made("tabula_sapiens_cell_types").cell_types)) > 3
    assert unpacked.stat().st_mtime_ns == before
    assert [path.name for path in (mirror / "tabula_sapiens").iterdir()] == ["TabulaSapiens.h5ad.zip"]


def test_cards_state_what_the_paper_states():
    """Cells, labels and batches of Table 1, 16k, 12k, 95k, 330k and 483k."""
    table = {
        "pancreas": (16_382, 14, 6),
        "pbmc_12k": (11_990, 9, 2),
        "pbmc_95k": (94_655, 10, 1),
        "immune": (329_762, 45, None),
        "tabula_sapiens": (483_152, 24, 27),
    }
    assert {name: (CARDS[name].n_cells, CARDS[name].n_labels, CARDS[name].n_batches) for name in table} == table
    assert all(hasattr(builders, card.builder) and home_of(card) in CARDS for card in CARDS.values())


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    """Only tables of arrays are read; nothing a pickle names is called."""

    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    (tmp_path / "x.pickle").write_bytes(pickle.dumps({"barcodes": Evil()}))
    with pytest.raises(UsageProblem, match=r"builtins.exec has no place in a table of labels; nothing was executed"):
        read_pbmc_metadata(tmp_path / "x.pickle")
    assert not (tmp_path / "ran").exists()
    (tmp_path / "x.pickle").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(UsageProblem, match="is not the table of labels"):
        read_pbmc_metadata(tmp_path / "x.pickle")


@pytest.mark.parametrize(
    ("name", "file", "says"),
    [
        ("pbmc_95k", "b_cells.tar.gz", "not a readable 10x archive"),
        ("tabula_sapiens", "TabulaSapiens.h5ad.zip", "zip"),
        ("immune", "CountAdded_PIP_global_object_for_cellxgene.h5ad", "not a readable .h5ad file"),
    ],
)
def test_a_damaged_file_is_one_sentence(name, file, says, tmp_path, mirror):
    """Half an archive or file is refused by its name."""
    card = CARDS[name]
    files = {each.name: mirror / home_of(card) / each.name for each in card.files}
    broken = tmp_path / file
    broken.write_bytes(files[file].read_bytes()[:5000])
    with pytest.raises(UsageProblem, match=says):
        getattr(builders, card.builder)(card, {**files, file: broken}, tmp_path)


@pytest.fixture
def archive(mirror, tmp_path):
    """Return a copy of the zip archive, and how it is read."""
    card = CARDS["tabula_sapiens"]
    path = tmp_path / card.files[0].name
    shutil.copy(mirror / home_of(card) / path.name, path)
    return path, lambda: builders.zipped(card, {path.name: path}, tmp_path / "unpacked" / "here")


@pytest.mark.parametrize("damage", ["content", "encrypted", "method"])
def test_damage_inside_an_archive_is_one_sentence(archive, tmp_path, damage):
    """Bytes that do not unpack, a file that is said to be encrypted, a method that is not known."""
    path, read = archive
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as whole:
        entry = whole.start_dir  # the list at the end, which begins with the file
    if damage == "content":
        content[5000:5100] = bytes([255]) * 100
    else:
        content[entry + (8 if damage == "encrypted" else 10)] ^= 1 if damage == "encrypted" else 64
    path.write_bytes(content)
    with pytest.raises(UsageProblem, match=r"not a readable zip archive \(.*\); delete it"):
        read()
    assert not list((tmp_path / "unpacked").rglob("*.h5ad"))


def test_damage_inside_a_10x_archive_is_one_sentence(few_cells, tmp_path):
    """Wherever bytes are wrong, whichever library notices."""
    genes = list(zip(few_cells.ensembl[:300].tolist(), few_cells.symbols[:300].tolist(), strict=True))
    path = tmp_path / "x.tar.gz"
    tenx_archive(path, "hg19", few_cells.counts[:, :300], genes, few_cells.cell_ids.tolist())
    content = path.read_bytes()
    for start in range(100, len(content) - 100, len(content) // 60):
        spoilt = bytearray(content)
        for place in range(start, start + 90, 30):
            spoilt[place] ^= 255
        path.write_bytes(spoilt)
        with pytest.raises(UsageProblem, match="not a readable 10x archive"):
            builders.read_10x(path)


def test_a_full_disk_does_not_condemn_the_archive(archive, monkeypatch):
    """What cannot be written is told from what cannot be read; room is looked for before."""
    _, read = archive
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(UsageProblem, match=r"could not be unpacked into .*/here \(.*File too large") as refused:
            read()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "delete" not in str(refused.value)
    with monkeypatch.context() as patch:
        patch.setattr("zsgate.system.download.shutil.disk_usage", lambda _: SimpleNamespace(free=20_000))
        with pytest.raises(UsageProblem, match=r"TabulaSapiens.h5ad needs [\d,]+ bytes, .* has 20,000 free"):
            read()
    assert read().n_cells > 0


def test_who_waits_for_an_archive_finds_it_unpacked(archive, tmp_path):
    """Of two processes that want it, one unpacks it while the other waits, and that one does not unpack it again."""
    target = tmp_path / "TabulaSapiens.h5ad"
    with zipfile.ZipFile(archive[0]) as content, ThreadPoolExecutor(1) as pool:
        entry = content.namelist()[0]
        with FileLock(f"{target}.lock"):
            waiting = pool.submit(builders.unpack, content, entry, tmp_path)
            assert not wait([waiting], timeout=0.2).done
            target.write_bytes(bytes(content.getinfo(entry).file_size))
        assert waiting.result() == target
    assert not any(target.read_bytes())
