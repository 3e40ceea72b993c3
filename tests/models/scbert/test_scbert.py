"""scBERT against upstream's module and scanpy, what its adapter promises, and what its loader refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import genes_in_order
from make_scbert import FULL, SMALL, scbert_weights
from tiny import write_genes

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.families.scbert.adapter import ScBERT
from zsgate.models.families.scbert.load import load, read_gene_order
from zsgate.models.families.scbert.network import PLACES, ScBERTNetwork, ScBERTShape, random_state
from zsgate.models.families.scbert.tokens import ScBERTTokenizer
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.models.transformer.attention import Runs
from zsgate.testing import AdapterContract

GOLDEN = Path(__file__).parents[2] / "golden"
MODEL, GENES = "panglao_pretrain.pth", "gene_order_16906.h5ad"


@pytest.fixture(scope="module")
def tiny(scbert_folder: Path) -> Callable[..., ScBERT]:
    """Return what loads the tiny scBERT."""

    def made(**options: object) -> ScBERT:
        return load("scbert_panglao", weights=scbert_folder, device="cpu", offline=True, **options)  # type: ignore[arg-type]

    return made


@pytest.mark.parametrize(
    ("shape", "name"), [(SMALL, "small"), pytest.param(FULL, "full", marks=pytest.mark.slow)], ids=["small", "full"]
)
def test_cells_equal_upstream(shape: ScBERTShape, name: str) -> None:
    """Both poolings of four real cells equal upstream's encodings, each cell alone, within 1e-5."""
    golden = np.load(GOLDEN / "scbert_outputs.npz")
    state = scbert_weights(shape)
    network = ScBERTNetwork.of(state, state.pop(PLACES), shape).to(torch.device("cpu"))
    known = golden[name]
    assert np.abs(known - known[0]).max(axis=(1, 2))[1:].min() > 1e-3, "the cells differ, or this would test nothing"
    for classes, rows in zip(golden["classes"][:, -shape.n_places :], known, strict=True):
        places = np.flatnonzero(classes)
        ids, own = torch.from_numpy(places), torch.from_numpy(classes[places])
        for pooling, row in zip(("mean", "last"), rows, strict=True):
            with torch.inference_mode():
                found = network.cells(ids, own, Runs((len(ids),), ids.device), pooling)[0]
            np.testing.assert_allclose(found, row, atol=1e-5)


def test_classes_equal_scanpys(pancreas: Dataset) -> None:
    """Of four real cells, as upstream's scripts call scanpy; the token behind the genes comes first."""
    golden = np.load(GOLDEN / "scbert_outputs.npz")
    genes = GeneOrder(tuple(genes_in_order(pancreas.symbols.tolist(), FULL.n_places - 1)))
    columns = genes.columns(pancreas.symbols)
    tokens = ScBERTTokenizer(genes)(pancreas.counts[golden["rows"]], columns)
    assert tokens.bins is not None
    for cell, classes in enumerate(golden["classes"]):
        run = slice(tokens.offsets[cell], tokens.offsets[cell + 1])
        ids, own, column = tokens.ids[run], tokens.bins[run], tokens.columns[run]
        assert (ids[0], own[0], column[0]) == (len(genes), 0, -1)
        np.testing.assert_array_equal(ids[1:], np.flatnonzero(classes))
        np.testing.assert_array_equal(own[1:], classes[ids[1:]])
        np.testing.assert_array_equal(columns[column[1:]], ids[1:])


def test_classes_over_the_published_genes_equal_scanpys(handful: Dataset, shared_data: Path) -> None:
    """The published list of genes in its order, and the steps of upstream's preprocess.py and pretrain.py."""
    import anndata as ad
    import scanpy as sc

    genes, few = read_gene_order(shared_data / "weights" / "scbert" / GENES), handful.subset(np.arange(4))
    assert len(genes) == FULL.n_places - 1
    columns = genes.columns(few.symbols)
    counts = np.zeros((4, len(genes)), np.float32)
    for column in np.flatnonzero(columns >= 0):
        counts[:, columns[column]] += few.counts[:, [column]].toarray().ravel()
    cells = ad.AnnData(counts)
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells, base=2)
    tokens = ScBERTTokenizer(genes)(few.counts, columns)
    assert tokens.bins is not None
    for cell, classes in enumerate(np.minimum(cells.X, 5).astype(np.int8)):
        run = slice(tokens.offsets[cell] + 1, tokens.offsets[cell + 1])
        np.testing.assert_array_equal(tokens.ids[run], np.flatnonzero(classes))
        np.testing.assert_array_equal(tokens.bins[run], classes[tokens.ids[run]])


def test_larger_keys_later_change_nothing() -> None:
    """Chunks whose largest key grows, shrinks and grows again give the attention of all keys at once."""
    torch.manual_seed(0)
    shape = ScBERTShape(dim=20, depth=1, hidden=40, n_features=16, n_places=600)
    layer = ScBERTNetwork.of(random_state(shape, 0), torch.randn(600, 20), shape).layers[0]
    x = torch.randn(600, 20).double()
    layer = type(layer)(**{name: _doubled(getattr(layer, name)) for name in layer.__dataclass_fields__})
    x[130:300] *= 3
    context = None
    for part in x.split(100):
        context = layer.gather(part, context)
    assert context is not None
    torch.testing.assert_close(context.whole, layer.gather(x, None).whole)


def _doubled(part):  # type: ignore[no-untyped-def]
    if isinstance(part, torch.Tensor):
        return part.double()
    return type(part)(**{k: v.double() if isinstance(v, torch.Tensor) else v for k, v in vars(part).items()})


class TestContract(AdapterContract):
    """The ten rules of every adapter."""

    @pytest.fixture
    def adapter(self, tiny: Callable[..., ScBERT]) -> ScBERT:
        """Return the tiny scBERT."""
        return tiny()

    @pytest.fixture
    def cells(self, few_cells: Dataset) -> Dataset:
        """Return 6 real cells."""
        return few_cells.subset(np.arange(0, 240, 40))


def test_the_card_and_the_choice_of_pooling(tiny: Callable[..., ScBERT], handful: Dataset) -> None:
    """Pooling changes rows and fingerprint and is said to be a choice; another one is refused."""
    few = handful.subset(np.arange(2))
    mean, last = tiny(), tiny(pooling="last")
    assert np.abs(mean.embed(few) - last.embed(few)).max() > 1e-3
    assert mean.fingerprint != last.fingerprint
    said = " | ".join(mean.info.notes)
    for words in ("pooling mean: upstream defines no embedding", "of the cell alone", "tensors left out: to_out.bias"):
        assert words in said
    with pytest.raises(UsageProblem, match="pooling 'max' is none of mean, last"):
        tiny(pooling="max")


def test_the_twin_reads_the_same_places(tiny: Callable[..., ScBERT]) -> None:
    """Its features are orthogonal within a block, as the paper draws them; gene2vec stays."""
    model = tiny()
    twin = model.random_init(0)
    assert twin.places is model.places
    features = random_state(model.shape, 0)["performer.net.layers.0.0.fn.fast_attention.projection_matrix"]
    products = features @ features.T
    lengths = products.diagonal()
    assert (products - lengths.diag()).abs().max() < 1e-3
    assert lengths.mean() == pytest.approx(64, rel=0.2)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda state: state | {"norm.wait": state.pop("norm.weight")}, "1 missing: norm.weight; 1 unknown: norm.wait"),
        (lambda state: state | {"norm.bias": torch.zeros(3)}, r"1 misshapen: norm.bias \(3,\) for \(40,\)"),
        (lambda state: state | {PLACES: state[PLACES][1:]}, "1 misshapen: pos_emb.emb.weight"),
        (lambda state: {"a": torch.zeros(3)}, "is not that of an scBERT checkpoint: no usable tensor"),
        (lambda state: state | {"norm.bias": Path("code")}, "holds a .*of which nothing was executed"),
    ],
    ids=["renamed", "misshapen", "other_genes", "another", "code"],
)
def test_other_tensors_are_refused(
    scbert_folder: Path, tmp_path: Path, spoil: Callable[[dict[str, object]], object], words: str
) -> None:
    """In one sentence that says what is wrong."""
    shutil.copytree(scbert_folder, tmp_path / "copy")
    state = torch.load(scbert_folder / MODEL, weights_only=True)["model_state_dict"]
    torch.save({"model_state_dict": spoil(state)}, tmp_path / "copy" / MODEL)
    with pytest.raises(UsageProblem, match=words):
        load("scbert_panglao", weights=tmp_path / "copy", device="cpu", offline=True)


@pytest.mark.parametrize("name", [MODEL, GENES])
def test_truncated_files_are_refused(scbert_folder: Path, tmp_path: Path, name: str) -> None:
    """The model and the list of genes."""
    shutil.copytree(scbert_folder, tmp_path / "copy")
    (tmp_path / "copy" / name).write_bytes((scbert_folder / name).read_bytes()[:-3000])
    with pytest.raises(UsageProblem, match=r"cannot be read as model weights|not a readable \.h5ad file of genes"):
        load("scbert_panglao", weights=tmp_path / "copy", device="cpu", offline=True)


def test_a_gene_named_twice_is_refused(tmp_path: Path) -> None:
    """Then a place would be no gene's own."""
    write_genes(tmp_path / GENES, ["INS", "GCG", "INS"])
    with pytest.raises(UsageProblem, match="names a gene twice"):
        read_gene_order(tmp_path / GENES)


def test_the_published_order_is_read(few_cells: Dataset) -> None:
    """16,906 genes, A1BG first; most of a human dataset's counts are among them."""
    import os

    given = os.environ.get("ZSGATE_TEST_DATA")
    path = Path(given or ".") / "weights/scbert" / GENES
    if not given or not path.is_file():
        pytest.skip("ZSGATE_TEST_DATA has no list of scBERT's genes")
    genes = read_gene_order(path)
    assert (len(genes), genes.names[0]) == (16_906, "A1BG")
    assert genes.coverage(few_cells, model="scbert", gene_ids="symbol").share_counts > 0.8


def test_a_list_of_genes_on_which_hdf5_never_ends_is_refused(shared_data: Path) -> None:
    """It is tried in another process first, as files of cells are."""
    with pytest.raises(UsageProblem, match="the HDF5 library does not come to an end with it"):
        read_gene_order(shared_data / "cases" / "h5flip_hang_13360.h5ad")
