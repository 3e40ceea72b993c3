"""Leakage: who may say that a model saw a dataset, and what follows."""

from __future__ import annotations

import pytest

from zsgate.config.config import Config
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.leakage.exposure import Exposure, exposure, objection, sentences
from zsgate.errors import UsageProblem
from zsgate.models.pretrained.checkpoints import CHECKPOINTS


@pytest.mark.parametrize(
    ("declared", "published", "stated", "status"),
    [
        (None, None, None, "unknown"),
        (None, None, (), "not seen"),
        (None, None, ("a",), "seen"),
        (None, None, ("b",), "unknown"),
        (None, ("seen", "paper"), ("b",), "seen"),
        (None, ("not seen", "paper"), ("a",), "not seen"),
        (("a", "b"), ("not seen", "paper"), None, "seen"),
        (("b",), ("seen", "paper"), None, "seen"),
        (("b",), None, ("a",), "not seen"),
        ((), None, None, "not seen"),
    ],
)
def test_who_says_so_first_counts(declared, published, stated, status):
    """A card that says "seen", the user, the dataset's card, the model's; silence is unknown, never "not seen"."""
    assert exposure("a", declared=declared, published=published, stated=stated).status == status


def test_only_what_was_seen_fails_and_only_if_asked():
    """--leakage=fail takes verdicts on seen data; what is unknown is said, not failed."""
    for status in ("seen", "not seen", "unknown"):
        found = Exposure(status, "paper")
        assert objection(found, "report") == ""
        assert bool(objection(found, "fail")) == (status == "seen")
    assert objection(Exposure("seen", "paper"), "fail").startswith("it was in the model's pretraining data (paper)")


def test_a_reader_is_told():
    """A sentence for each dataset that was seen, one for all that are not known, none for the rest."""
    statuses = {"a": "seen", "b": "not seen", "c": "unknown", "d": "unknown"}
    found = {name: Exposure(status, "paper") for name, status in statuses.items()}
    assert sentences(found, "m") == [
        "m saw a in pretraining (paper): a verdict on it is not zero-shot on new data.",
        "Whether m saw c, d in pretraining is not known.",
    ]


def test_cards_speak_of_models_that_exist():
    """Every name is a packaged model's; the paper's two overlaps are there."""
    for card in CARDS.values():
        assert set(card.exposure) <= set(CHECKPOINTS)
        assert all(status in ("seen", "not seen") for status, _ in card.exposure.values())
    assert CARDS["pancreas"].exposure["geneformer_v1_10m"][0] == "seen"
    assert CARDS["pancreas_no_overlap"].exposure["geneformer_v1_10m"][0] == "not seen"
    assert {name for name, card in CARDS.items() if card.exposure.get("scgpt_human", ("",))[0] == "seen"} == {
        *("immune", "immune_by_donor", "tabula_sapiens", "tabula_sapiens_cell_types")
    }


def test_a_user_declares_it_for_any_model(tmp_path):
    """[tool.zsgate.models."pkg.mod:attr"] pretraining = [...]; other settings stay those of packaged models."""
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.zsgate.models."my.gate:Model"]\npretraining = ["mine", "pancreas"]\n')
    config = Config.gather({"model": "my.gate:Model"}, {}, tmp_path)
    assert config.models["my.gate:Model"]["pretraining"] == ("mine", "pancreas")
    for line in ("pretraining = 'mine'", "pretraining = [3]"):
        file.write_text(f'[tool.zsgate.models."my.gate:Model"]\n{line}\n')
        with pytest.raises(UsageProblem, match="as tables of models"):
            Config.gather({"model": "m"}, {}, tmp_path)
    file.write_text('[tool.zsgate.models."my.gate:Model"]\nweights = "w"\n')
    with pytest.raises(UsageProblem, match="packaged ones and commands have settings"):
        Config.gather({"model": "m"}, {}, tmp_path)
    file.unlink()
    with pytest.raises(UsageProblem, match=r"unknown leakage 'fial'; did you mean 'fail'\?"):
        Config.gather({"model": "m", "leakage": "fial"}, {}, tmp_path)
