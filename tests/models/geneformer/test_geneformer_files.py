"""Dictionaries of genes: those of the folder, or the published ones where these fit."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from zsgate.errors import UsageProblem
from zsgate.models.families.geneformer.dictionaries import GeneDictionary, check_dictionary
from zsgate.models.families.geneformer.files import PUBLISHED, find_dictionaries, read_dictionaries

V1 = "geneformer_v1"


@pytest.fixture
def published(shared_data: Path, tmp_path: Path) -> Path:
    """Return a cache that has the published dictionaries of both versions."""
    for size, checkpoint in PUBLISHED.items():
        place = tmp_path / "cache" / "weights" / checkpoint.name
        place.mkdir(parents=True)
        source = shared_data / "weights" / (V1 if size > 25_000 else "geneformer_v2")
        for path in source.glob("*.pkl"):
            shutil.copyfile(path, place / path.name)
    return tmp_path / "cache"


SIZES = [(25_426, 25_426), (20_275, 20_275), (25_432, 25_426), (20_288, 20_275)]


@pytest.mark.parametrize(("n_rows", "n_tokens"), SIZES)
def test_a_folder_without_any_takes_the_published(published: Path, tmp_path: Path, n_rows: int, n_tokens: int) -> None:
    """The number of tokens, padded or not, says which version's; the page says so."""
    (tmp_path / "own").mkdir()
    files, notes = find_dictionaries(tmp_path / "own", n_rows, published, offline=True)
    assert len(read_dictionaries(files, published).tokens) == n_tokens
    assert {file.status for file in files.values()} == {"verified"}
    assert len(notes) == 1
    assert "the published ones, whose number of tokens fits" in notes[0]


def test_a_folder_with_the_published_tokens_takes_the_rest(published: Path, tmp_path: Path) -> None:
    """The digest of the token dictionary says that the published medians go with it."""
    own = tmp_path / "own"
    own.mkdir()
    name = "token_dictionary_gc30M.pkl"
    shutil.copyfile(published / "weights" / "geneformer_v1_10m" / name, own / name)
    files, notes = find_dictionaries(own, 25_426, published, offline=True)
    assert files[name].path == own / name
    assert notes == (
        "the folder lacks gene_median_dictionary_gc30M.pkl, gene_name_id_dict_gc30M.pkl, "
        "ensembl_mapping_dict_gc30M.pkl: the published ones, whose number of tokens fits",
    )
    with pytest.raises(UsageProblem, match=r"lacks gene_median_dictionary, .* it has its own token_dictionary_gc30M"):
        find_dictionaries(own, 20_275, published, offline=True)


def test_published_ones_are_for_the_published_tokens_only(tmp_path: Path) -> None:
    """Neither another number of tokens nor tokens of one's own go with the published medians."""
    own = tmp_path / "own"
    own.mkdir()
    with pytest.raises(UsageProblem, match=r"lacks token_dictionary, .*\(V2\) .*: the model has 20,000 tokens"):
        find_dictionaries(own, 20_000, tmp_path, offline=True)
    (own / "token_dictionary.json").write_text(json.dumps({"<pad>": 0, "<mask>": 1}))
    with pytest.raises(UsageProblem, match=r"lacks gene_median.*it has its own token_dictionary.json"):
        find_dictionaries(own, 25_426, tmp_path, offline=True)
    (own / "token_dictionary_2.json").write_text("{}")
    with pytest.raises(UsageProblem, match=r"several files token_dictionary: .*leave the one meant"):
        find_dictionaries(own, 25_426, tmp_path, offline=True)


def test_a_folder_in_the_place_of_a_dictionary_is_none(tmp_path: Path) -> None:
    """It is lacking, as if nothing were there."""
    (tmp_path / "token_dictionary_gc30M.pkl").mkdir()
    with pytest.raises(UsageProblem, match="lacks token_dictionary, "):
        find_dictionaries(tmp_path, 7, tmp_path / "cache", offline=True)


@pytest.mark.parametrize(
    ("median", "says"), [(float("inf"), "/own: the median dictionary lacks 1 of the genes"), (2.0, "")]
)
def test_the_dictionaries_of_a_folder_are_named_by_it(median: float, says: str) -> None:
    """A median that is infinite would make every count of its gene 0."""
    tokens = {"<pad>": 0, "<mask>": 1, "ENSG1": 2}
    genes = GeneDictionary(tokens, {"ENSG1": median}, {}, {})
    with pytest.raises(UsageProblem, match=says) if says else nullcontext():
        check_dictionary(genes, 3, "/own")
    with pytest.raises(UsageProblem, match="/own: the token dictionary has 3 tokens, the model 4"):
        check_dictionary(genes, 4, "/own")
