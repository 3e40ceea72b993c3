"""What the adapter of UCE promises, and what its loader refuses."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.families.uce.adapter import UCE
from zsgate.models.families.uce.genes import read_places
from zsgate.models.families.uce.load import load
from zsgate.testing import AdapterContract

MakeUCE = Callable[..., UCE]


class TestContract(AdapterContract):
    """The ten rules of every adapter."""

    @pytest.fixture
    def adapter(self, tiny_uce: MakeUCE) -> UCE:
        """Return the tiny UCE."""
        return tiny_uce()

    @pytest.fixture
    def cells(self, few_cells: Dataset) -> Dataset:
        """Return 12 real cells."""
        return few_cells.subset(np.arange(0, 240, 20))


def test_the_card_says_what_differs_from_upstream(tiny_uce: MakeUCE) -> None:
    """Licences, the row's definition, the head that is left out, and the draws are on it."""
    card = tiny_uce(draws=2).info
    assert (card.code_licence, card.dimensions, card.stochastic) == ("unknown", 32, True)  # own weights
    said = " | ".join(card.notes)
    for words in ("of the cell alone", "no cell and no gene is filtered", "predicts no amount", "2 keyed draw(s)"):
        assert words in said
    assert "binary_decoder.3.bias" in said
    assert not tiny_uce(randomness="official").info.independent_cells


def test_draws_have_rows_of_their_own(tiny_uce: MakeUCE, handful: Dataset) -> None:
    """Another seed gives other rows of norm 1 and another fingerprint, and official draws run on over the cells."""
    few = handful.subset(np.arange(3))
    model = tiny_uce(draws=2)
    one, other = (each.embed(few) for each in model.repeats())
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)
    assert np.abs(one - other).max() > 1e-4
    assert model.fingerprint != model.with_seed(1).fingerprint
    official = tiny_uce(randomness="official")
    assert not np.array_equal(official.embed(few)[2:], official.embed(few.subset(np.array([2]))))
    with pytest.raises(UsageProblem, match="draws must be a whole number from 1 on, not 0"):
        tiny_uce(draws=0)


def test_the_twin_reads_the_same_sentences_and_proteins(tiny_uce: MakeUCE, handful: Dataset) -> None:
    """It differs in its weights alone, by seed, and says that the proteins are not untrained."""
    few, model = handful.subset(np.arange(3)), tiny_uce()
    twin = model.random_init(0)
    assert twin.proteins is model.proteins
    assert np.abs(twin.embed(few) - model.embed(few)).max() > 1e-3
    assert len({each.fingerprint for each in (model, twin, model.random_init(1))}) == 3
    assert any("does not train" in note for note in twin.info.notes)


def copied(folder: Path, place: Path) -> Path:
    shutil.copytree(folder, place / "copy")
    return place / "copy"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda state: state | {"decoder.3.waight": state.pop("decoder.3.weight")}, "no usable tensor for"),
        (lambda state: state | {"encoder.0.bias": torch.zeros(3)}, r"1 misshapen: encoder.0.bias \(3,\) for \(40,\)"),
        (lambda state: state | {"surplus": torch.zeros(3)}, "1 unknown: surplus"),
        (lambda state: state | {"pe_embedding.weight": torch.zeros(9, 48)}, "143,598 different tokens"),
        (lambda state: {**state, "decoder.0.0.bias": "text"}, "holds more than named tensors"),
    ],
    ids=["renamed", "misshapen", "unknown", "few_proteins", "text"],
)
def test_other_tensors_are_refused(
    uce_folder: Path, tmp_path: Path, spoil: Callable[[dict[str, object]], object], words: str
) -> None:
    """In one sentence that says what is wrong."""
    folder = copied(uce_folder, tmp_path)
    state = torch.load(folder / "4layer_model.torch", weights_only=True)
    torch.save(spoil(state), folder / "4layer_model.torch")
    with pytest.raises(UsageProblem, match=words):
        load("uce_4l", weights=folder, device="cpu", offline=True)


class Runs:
    """Would run code if it were unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Return what unpickling calls."""
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("4layer_model.torch", None, "cannot be read as model weights"),
        ("Homo_sapiens.GRCh38.gene_symbol_to_embedding_ESM2.pt", None, "cannot be read as model weights"),
        ("species_offsets.pkl", pickle.dumps({"human": Runs()}), "has no place in a dictionary of genes"),
        ("species_offsets.pkl", pickle.dumps({"human": 143_000}), "chromosomes begin at 143,574"),
        ("species_offsets.pkl", pickle.dumps({"mouse": 4}), "begin at None"),
        ("species_chrom.csv", b"species,gene_symbol,start\nhuman,INS,1\n", "'chromosome'"),
        ("species_chrom.csv", b"species,gene_symbol,chromosome,start\nhuman,INS,11,here\n", "could not convert"),
        ("species_chrom.csv", b"species,gene_symbol,chromosome,start\nmouse,INS,11,7\n", "has no gene of human"),
    ],
)
def test_damaged_files_are_refused(
    uce_folder: Path, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    """Truncated files, pickles with code and tables of something else are each refused in a sentence."""
    folder = copied(uce_folder, tmp_path)
    (folder / name).write_bytes((folder / name).read_bytes()[:-2000] if content is None else content)
    with pytest.raises(UsageProblem, match=words):
        load("uce_4l", weights=folder, device="cpu", offline=True)
    assert not Path("executed").exists()


def test_chromosomes_are_numbered_over_all_species(tmp_path: Path) -> None:
    """By name, as upstream's categories are; rows without a chromosome and second rows of a gene are left out."""
    lines = ("human,INS,11,2150342.0", "mouse,Ins,7,1", "human,TTR,X,5", "human,INS,12,9", "human,LOST,,3")
    path = tmp_path / "species_chrom.csv"
    path.write_text("\n".join(("species,gene_symbol,chromosome,start", *lines)))
    assert read_places(path) == {"INS": (0, 2_150_342), "TTR": (2, 5)}
