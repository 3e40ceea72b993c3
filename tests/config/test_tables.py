"""Tables of pyproject.toml: datasets, models, thresholds and waivers, and what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from zsgate.config.config import Config
from zsgate.data.annotations import Columns
from zsgate.data.catalogue.card import Card
from zsgate.errors import UsageProblem
from zsgate.run.datasets import Source, chosen

TABLE = "match = 'lab-scvi'\nreason = 'r'\nowner = 'Ada'\nexpires = 2027-01-31\nmax_deficit = 0.05\n"
DAY = date(2027, 1, 31)


def test_own_datasets_are_declared_in_tables(repo, gather, own):
    """Tables declare datasets and are judged on; --datasets selects among them, and the catalogue's."""
    folder, write = repo
    write(own)
    config = gather(folder / "inner")
    assert config.own["mine"] == {"path": folder / "lab.h5ad", "donor": "patient"}
    assert config.dataset_names == ("mine", "theirs")
    assert gather(folder, {"datasets": "mine,pancreas"}).dataset_names == ("mine", "pancreas")
    sources = chosen(config)
    assert sources["mine"] == Source(
        name="mine",
        path=folder / "lab.h5ad",
        columns=Columns(label="cell_type", donor="patient"),
        scope="donors",
    )
    assert sources["theirs"].scope == "cells"
    assert [type(source) for source in chosen(gather(folder, {"datasets": "mine,pancreas"})).values()] == [Source, Card]


def test_what_is_typed_counts_more_than_a_table(repo, gather, own):
    """Columns and scope, by an option or a variable; where no file is judged on there is nothing to type them for."""
    folder, write = repo
    write(own)
    sources = chosen(gather(folder, {"donor": "mouse", "scope": "donors"}, {"ZSGATE_LABEL": "type"}))
    assert sources["mine"].columns == Columns(label="type", donor="mouse")
    assert (sources["theirs"].scope, sources["theirs"].columns.donor) == ("donors", "mouse")
    assert chosen(gather(folder, {"datasets": "mine,pancreas", "label": "type"}))["mine"].columns.label == "type"
    with pytest.raises(UsageProblem, match="--label is for files of your own"):
        chosen(gather(folder, {"datasets": "pancreas", "label": "type"}))
    assert list(chosen(gather(folder, {"datasets": "pancreas"}, {"ZSGATE_LABEL": "type"}))) == ["pancreas"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("mine = {path = 'x.h5ad', lable = 'a'}", "mine: unknown key 'lable'; did you mean 'label'?"),
        ("mine = {label = 'a'}", "mine: path is missing"),
        ("mine = {path = 'x.h5ad', scope = 'donor'}", "mine: unknown scope 'donor'; did you mean 'donors'?"),
        ("mine = {path = 3}", "datasets: cannot read"),
        ("mine = 3", "datasets: cannot read {'mine': 3} as tables of datasets"),
    ],
)
def test_a_table_of_a_dataset_that_cannot_be_read_is_refused(repo, table, says, gather):
    """Unknown keys are errors with the nearest name."""
    folder, write = repo
    write(f"[tool.zsgate.datasets]\n{table}\n")
    with pytest.raises(UsageProblem) as refused:
        gather(folder)
    assert says in str(refused.value)


def test_a_dataset_nobody_knows_is_refused(repo, gather, own):
    """The nearest name of the user's tables and the catalogue; two of one name are refused as well."""
    folder, write = repo
    write(own)
    with pytest.raises(UsageProblem, match=r"unknown dataset 'mne'; did you mean 'mine'\?"):
        chosen(gather(folder, {"datasets": "mne"}))
    with pytest.raises(UsageProblem, match=r"unknown dataset 'pancres'; did you mean 'pancreas'\?"):
        chosen(gather(folder, {"datasets": "pancres"}))
    with pytest.raises(UsageProblem, match="two datasets are named 'mine'; rename one of the files"):
        chosen(gather(folder, {"datasets": "mine,other/mine.h5ad"}))


def test_models_have_tables_of_their_own(repo, gather):
    """[tool.zsgate.models.NAME] holds settings of one model; its weights lie relative to the file."""
    folder, write = repo
    write("[tool.zsgate.models.scgpt_human]\nweights = 'w'\npreset = 'paper'\n")
    assert gather(folder / "inner").models == {"scgpt_human": {"weights": folder / "w", "preset": "paper"}}
    assert gather(folder, {"weights": "mine"}).weights == folder / "mine"


def test_what_a_model_s_rows_are_pooled_of_is_a_setting(repo, gather):
    """Of the families that offer a choice."""
    folder, write = repo
    write("[tool.zsgate.models.scbert]\npooling = 'last'\n")
    assert gather(folder).models == {"scbert": {"pooling": "last"}}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("match = 'a'", "sets nothing"),
        ("margin = 0.1", "match missing"),
        ("match = ''\nmargin = 0.1", "match missing"),
        ("match = 'a'\nmargn = 0.1", "unknown key 'margn'; did you mean 'margin'?"),
        ("match = 'a'\nmargin = -0.1", "from 0 to 1"),
        ("match = 'a'\nmargin = 1", "from 0 to 1"),
        ("match = 'a'\nmargin = nan", "from 0 to 1"),
        ("match = 'a'\nthreshold = 'high'", "must be a number"),
        ("match = 'a'\nthreshold = true", "must be a number"),
        ("match = 'a'\npolicy = 'beat'", "unknown policy 'beat'; did you mean 'beats'?"),
        ("match = 3\nmargin = 0.1", "match must be text"),
    ],
)
def test_a_threshold_that_cannot_be_read_is_refused(tmp_path, table, words):
    """Bad keys and values are said with their place in pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text(f"[[tool.zsgate.threshold]]\n{table}\n", encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"\[tool.zsgate\] threshold: ") as refused:
        Config.gather({"model": "m"}, {}, tmp_path)
    assert words in str(refused.value)


def test_a_waiver_may_be_one_model_s(tmp_path):
    """In a run of another it is not there."""
    text = "[[tool.zsgate.waiver]]\n" + TABLE + "model = 'my.gate:A'\n"
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert [len(Config.gather({"model": f"my.gate:{name}"}, {}, tmp_path).waiver) for name in "AB"] == [1, 0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("owner = 'Ada'\n", "", "owner missing in the one that matches 'lab-scvi'"),
        ("reason = 'r'", "reason = ''", "reason missing"),
        ("expires = 2027-01-31", "expires = '31.1.2027'", "must be a day such as 2027-01-31"),
        ("expires = 2027-01-31", "expires = 2027-01-31T10:00:00", "must be a day"),
        ("expires = 2027-01-31", "expires = 9999-12-31", "more than a year ahead; a waiver is for a while"),
        ("match = 'lab-scvi'", "match = '*'", "'*' waives every test; name what may fail"),
        ("match = 'lab-scvi'", "match = '*-*-?*'", "waives every test"),
        ("expires", "expiry", "unknown key 'expiry'; did you mean 'expires'?"),
        ("max_deficit = 0.05", "max_deficit = -1", "from 0 to"),
        (TABLE, "match = 'a'", "reason, owner, expires, max_deficit missing"),
    ],
)
def test_a_waiver_that_cannot_be_read_is_refused(tmp_path, old, new, words):
    """Missing fields, bad days and unknown keys are said."""
    assert old in TABLE
    text = "[[tool.zsgate.waiver]]\n" + TABLE.replace(old, new)
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"\[tool.zsgate\] waiver: ") as refused:
        Config.gather({"model": "m"}, {}, tmp_path)
    assert words in str(refused.value)


def test_a_day_may_be_a_toml_date_or_text(tmp_path):
    """Both spellings of a day are one; an array of other things than tables is refused."""
    for day in ("2027-01-31", "'2027-01-31'"):
        text = "[[tool.zsgate.waiver]]\n" + TABLE.replace("expires = 2027-01-31", f"expires = {day}")
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        assert Config.gather({"model": "m"}, {}, tmp_path).waiver[0].expires == DAY
    (tmp_path / "pyproject.toml").write_text("[tool.zsgate]\nwaiver = ['lab-scvi']\n", encoding="utf-8")
    with pytest.raises(UsageProblem, match="must be tables"):
        Config.gather({"model": "m"}, {}, tmp_path)
