"""Settings: which source wins, what each may hold, and which values no run can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsgate.config.config import Config
from zsgate.data.catalogue.card import Card
from zsgate.data.catalogue.tiers import TIERS
from zsgate.errors import UsageProblem
from zsgate.run.datasets import chosen


def test_defaults_need_a_model_only(tmp_path, gather):
    """Nothing said: the paper's five datasets, new donors, strict policy, the platform's cache."""
    assert gather(tmp_path) == Config(model="m")
    assert Config(model="m").dataset_names == ("pancreas", "pbmc_12k", "pbmc_95k", "immune", "tabula_sapiens")
    assert Config(model="m", tier="pr").dataset_names == ("pancreas", "pbmc_12k")
    assert Config(model="m", tier="quick").dataset_names == ("pancreas_quick",)


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_can_be_judged_on(tmp_path, gather, tier):
    """Its datasets are in the catalogue."""
    sources = chosen(gather(tmp_path, {"tier": tier}))
    assert tuple(sources) == TIERS[tier]
    assert {type(source) for source in sources.values()} == {Card}


def test_the_nearest_source_wins(repo, gather):
    """Command line over variables over the nearest pyproject.toml over defaults, setting by setting."""
    folder, write = repo
    write("[tool.zsgate]\nmargin = 0.01\npolicy = 'point'\nseeds = 3\nlabel = 'a'\n")
    config = gather(
        folder / "inner",
        {"label": "c", "batch": None, "gpu": False},
        {"ZSGATE_LABEL": "b", "ZSGATE_SEEDS": "7", "OTHER": "x", "ZSGATE_POLICY": ""},
    )
    assert (config.label, config.seeds, config.policy, config.margin) == ("c", 7, "point", 0.01)
    assert (config.batch, config.gpu) == (None, False)


def test_paths_are_relative_to_who_names_them(repo, gather):
    """To pyproject.toml's folder in it, to where pytest was started elsewhere; catalogue names stay names."""
    folder, write = repo
    write("[tool.zsgate]\nreport = 'out'\ndatasets = ['data/a.h5ad', 'pancreas_quick']\n")
    inner = folder / "inner"
    config = gather(inner)
    assert config.report == folder / "out"
    assert config.datasets == (str(folder / "data" / "a.h5ad"), "pancreas_quick")
    config = gather(inner, {"datasets": "b.h5ad, pancreas_quick,", "report": "/abs"}, {"ZSGATE_CACHE": "~/c"})
    assert config.datasets == (str(inner / "b.h5ad"), "pancreas_quick") == config.dataset_names
    assert (config.report, config.cache) == (Path("/abs"), Path("~/c").expanduser())


def test_what_a_project_usually_judges_on_is_known(repo, gather, own):
    """By pyproject.toml alone, whatever is selected; without a word of it the paper's datasets."""
    folder, write = repo
    write(own.replace("[tool.zsgate]\n", "[tool.zsgate]\njudge_on = ['pancreas', 'mine']\n"))
    assert gather(folder, {"datasets": "mine"}, {"ZSGATE_TIER": "quick"}).usual == ("pancreas", "mine", "theirs")
    write("[tool.zsgate]\ndatasets = ['a/lab.h5ad']\n")
    assert gather(folder, {"datasets": "pancreas"}).usual == ("lab",)
    write("[tool.zsgate]\ntier = 'pr'\n")
    assert gather(folder, {"tier": "quick"}).usual == ("pancreas", "pbmc_12k")
    write("")
    assert gather(folder, {"tier": "quick"}).usual == Config(model="m").dataset_names


def test_a_folder_s_slash_is_no_part_of_its_name(tmp_path, gather):
    """As completion types it."""
    (source,) = chosen(gather(tmp_path, {"datasets": "lab.zarr/"})).values()
    assert (source.name, source.path) == ("lab", tmp_path / "lab.zarr")


def test_labels_that_are_none_are_those_of_the_user_s_files(repo, gather):
    """A list, or text with commas in a variable; blanks around them do not count."""
    folder, write = repo
    write("[tool.zsgate]\nnot_labels = ['unknown ', 'B cell, maybe']\ndatasets.mine.path = 'a.h5ad'\n")
    (source,) = chosen(gather(folder)).values()
    assert source.columns.not_labels == ("unknown", "B cell, maybe")
    config = gather(folder, {"datasets": "b.h5ad"}, {"ZSGATE_NOT_LABELS": "unknown, Doublet"})
    (source,) = chosen(config).values()
    assert source.columns.not_labels == ("unknown", "Doublet")
    write("[tool.zsgate]\nnot_labels = [1]\n")
    with pytest.raises(UsageProblem, match=r"not_labels: cannot read \[1\] as a list of texts"):
        gather(folder)


def test_a_home_of_nobody_is_refused(tmp_path, gather):
    """In every setting that holds a path."""
    for option in ("weights", "report", "cache", "mirror"):
        with pytest.raises(UsageProblem, match=f"--{option}: ~nobody_of_this_name: there is no such home folder"):
            gather(tmp_path, {option: "~nobody_of_this_name"})
    with pytest.raises(UsageProblem, match="there is no such home folder"):
        gather(tmp_path, {"datasets": "~nobody_of_this_name/lab.h5ad"})


def test_a_mirror_is_a_folder_or_an_address(repo, gather):
    """A folder is made absolute, an address stays."""
    folder, write = repo
    write("[tool.zsgate]\nmirror = 'm'\n")
    assert gather(folder / "inner").mirror == str(folder / "m")
    assert gather(folder, {"mirror": "https://x.org/m"}).mirror == "https://x.org/m"


def test_what_ends_like_a_file_or_has_a_slash_is_a_path(tmp_path, gather):
    """Also of formats that are not read, to say how they are converted; anything else is a name of the catalogue."""
    for typed in ("data/x.zarr", "x.H5AD", "x.csv", "x.h5ad.gz", "data/filtered_feature_bc_matrix"):
        assert gather(tmp_path, {"datasets": typed}).datasets == (str(tmp_path / typed),)
    assert gather(tmp_path, {"datasets": "pancreas,x.table"}).datasets == ("pancreas", "x.table")


@pytest.mark.parametrize(
    ("value", "seconds"), [("45m", 2700), ("45 min", 2700), ("2h", 7200), ("1h30m", 5400), ("90s", 90), ("0.5H", 1800)]
)
def test_a_budget_is_a_time_with_its_unit(tmp_path, value, seconds, gather):
    """Hours, minutes and seconds, alone or together."""
    assert gather(tmp_path, {"budget": value}).budget == seconds


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("margin", "-0.1", "margin must be in [0, 1), not -0.1"),
        ("margin", "1", "margin must be in [0, 1), not 1"),
        ("margin", "nan", "margin must be in [0, 1), not nan"),
        ("margin", "small", "--margin: cannot read 'small' as float"),
        ("seeds", "1", "seeds must be at least 2"),
        ("seeds", "-3", "seeds must be at least 2"),
        ("policy", "beat", "unknown policy 'beat'; did you mean 'beats'?"),
        ("scope", "donor", "unknown scope 'donor'; did you mean 'donors'? (known: donors, cells)"),
        ("tier", "QUICK", "unknown tier 'QUICK'; did you mean 'quick'?"),
        ("budget", "45", "--budget: cannot read '45' as a time such as 45m, 2h or 1h30m"),
        ("budget", "-1h", "--budget: cannot read"),
        ("budget", "0m", "--budget: cannot read"),
        ("budget", "1h or so", "--budget: cannot read"),
        ("label", "", "--label is empty"),
        ("datasets", "", "--datasets is empty"),
        ("model", "", "--model is empty"),
    ],
)
def test_an_option_that_no_run_can_use_is_refused(tmp_path, option, value, says, gather):
    """Limits and choices; an empty value, as an unset variable of a CI job leaves it, is no silent default."""
    with pytest.raises(UsageProblem) as refused:
        gather(tmp_path, {option: value})
    assert str(refused.value).startswith(says)
