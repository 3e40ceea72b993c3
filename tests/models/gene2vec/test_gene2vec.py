"""Gene2vec: the weighted mean of vectors, where these come from, files that are refused."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.families.gene2vec.adapter import Gene2vec
from zsgate.models.families.gene2vec.checkpoints import FOLDER, ORDER, VECTORS
from zsgate.models.families.gene2vec.load import find_package, load, read_vectors


def test_a_cell_is_the_weighted_mean_of_its_genes(tiny_gene2vec: Gene2vec, handful: Dataset) -> None:
    """Computed densely in float64 from the definition, to 1e-6 of vectors of spread 0.24."""
    assert tiny_gene2vec.state is not None
    columns, dense = tiny_gene2vec.genes.columns(handful.symbols), handful.counts.toarray().astype(float)
    known = columns >= 0
    weights = np.log1p(dense[:, known] / dense[:, known].sum(1, keepdims=True) * 1e4)
    expected = weights @ tiny_gene2vec.state["vectors"].double().numpy()[columns[known]] / weights.sum(1, keepdims=True)
    np.testing.assert_allclose(tiny_gene2vec.embed(handful), expected, atol=1e-6, rtol=0)


def test_twins_have_as_many_vectors_of_the_same_spread(tiny_gene2vec: Gene2vec) -> None:
    """Drawn by seed, and not those that were trained."""
    twins = [tiny_gene2vec.random_init(seed).vectors for seed in (1, 1, 2)]
    assert twins[0].shape == tiny_gene2vec.vectors.shape
    assert twins[0].equal(twins[1])
    assert not twins[0].equal(twins[2])
    assert float(twins[0].std()) == pytest.approx(float(tiny_gene2vec.vectors.std()), rel=0.01)


def put_package(place: Path, version: str) -> Path:
    """Make a package as installed in ``place``; it cannot be imported."""
    folder = place / "scfoundry" / FOLDER
    folder.mkdir(parents=True)
    (place / "scfoundry" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (place / f"scfoundry-{version}.dist-info").mkdir()
    (place / f"scfoundry-{version}.dist-info" / "METADATA").write_text(f"Name: scfoundry\nVersion: {version}\n")
    return folder


@pytest.mark.parametrize("version", ["0.2.1", "0.3.0"])
def test_files_of_the_installed_package_are_found(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without importing it, and of the version whose files are known only."""
    assert find_package() is None
    folder = put_package(tmp_path, version)
    monkeypatch.syspath_prepend(tmp_path)
    assert find_package() == (folder if version == "0.2.1" else None)
    assert "scfoundry" not in sys.modules
    with pytest.raises(UsageProblem, match=r"gene2vec_16906: 2 file\(s\) are not in .*"):
        load(device="cpu", cache=tmp_path / "cache", offline=True)


def test_other_vectors_under_the_published_name_are_ones_own(
    gene2vec_folder: Path, shared_data: Path, tmp_path: Path
) -> None:
    """Genes are read from the published file of cells; of other vectors nothing published is said."""
    shutil.copyfile(shared_data / "weights" / "scbert" / "gene_order_16906.h5ad", tmp_path / ORDER)
    np.save(tmp_path / VECTORS, np.random.default_rng(0).normal(0, 0.24, (16_906, 20)))
    model = load(weights=tmp_path, device="cpu")
    assert (model.info.name, model.info.weights_licence) == ("gene2vec_16906@own", "unknown")
    assert model.genes.names[:3] == ("A1BG", "A1CF", "A2ML1")
    assert (model.files[ORDER].status, model.files[VECTORS].status) == ("verified", "other")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (np.zeros((3, 2)), "holds 3 vectors of 2 numbers for 4 genes"),
        (np.zeros((4, 0)), "holds 4 vectors of 0 numbers"),
        (np.zeros(4), r"holds float64 \(4,\); float32 or float64"),
        (np.zeros((4, 2), dtype=int), r"holds int64 \(4, 2\)"),
        (np.full((4, 2), np.nan), "not finite"),
        (np.array([[print, 1]] * 4, dtype=object), "cannot read the vectors"),
    ],
)
def test_what_is_no_vector_a_gene_is_refused(found: np.ndarray, says: str, tmp_path: Path) -> None:
    """One sentence with the file; objects are never unpickled."""
    np.save(tmp_path / "vectors.npy", found, allow_pickle=True)
    with pytest.raises(UsageProblem, match=says):
        read_vectors(tmp_path / "vectors.npy", 4)


def test_damaged_files_are_refused(gene2vec_folder: Path, tmp_path: Path) -> None:
    """A truncated table, a list of genes cut off, a name that is no gene's."""
    folder = Path(shutil.copytree(gene2vec_folder, tmp_path / "cut"))
    content = (folder / "vectors.npy").read_bytes()
    (folder / "vectors.npy").write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageProblem, match="cannot read the vectors"):
        load("gene2vec", weights=folder, device="cpu")
    (folder / "vectors.npy").write_bytes(content)
    lines = (folder / "genes.tsv").read_text().splitlines()
    (folder / "genes.tsv").write_text("\n".join(lines[:-1]))
    with pytest.raises(UsageProblem, match=f"vectors of 12 numbers for {len(lines) - 1:,} genes"):
        load("gene2vec", weights=folder, device="cpu")
    (folder / "genes.tsv").write_text("\n".join([*lines[:-1], lines[0]]))
    with pytest.raises(UsageProblem, match="names a gene twice"):
        load("gene2vec", weights=folder, device="cpu")
