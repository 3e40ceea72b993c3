"""Settings: which source wins, what each may hold, and how what cannot be read is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsgate.config.config import Config
from zsgate.data.catalogue.card import Card
from zsgate.data.read import Columns
from zsgate.errors import UsageProblem, nearest
from zsgate.run.datasets import Source, chosen


@pytest.fixture
def repo(tmp_path):
    """Return a repository with a folder inside it, and a function that writes its [tool.zsgate]."""
    (tmp_path / "repo" / "inner").mkdir(parents=True)

    def write(text, place="repo"):
        (tmp_path / place / "pyproject.toml").write_text(text, encoding="utf-8")

    return tmp_path / "repo", write


def gather(folder, command_line=(), environment=()):
    return Config.gather({"model": "m", **dict(command_line)}, dict(environment), folder)


def test_defaults_need_a_model_only(tmp_path):
    """Nothing said: the paper's five datasets, new donors, strict policy, the platform's cache."""
    assert gather(tmp_path) == Config(model="m")
    assert Config(model="m").dataset_names == ("pancreas", "pbmc_12k", "pbmc_95k", "immune", "tabula_sapiens")
    assert Config(model="m", tier="pr").dataset_names == ("pancreas", "pbmc_12k")
    assert Config(model="m", tier="quick").dataset_names == ("pancreas_quick",)


def test_the_nearest_source_wins(repo):
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


def test_only_the_nearest_pyproject_counts(repo):
    """A project's own pyproject.toml hides those above it, also when it says nothing of zsgate."""
    folder, write = repo
    write("[tool.zsgate]\nseeds = 3\n", place=".")
    assert gather(folder).seeds == 3
    write("[project]\nname = 'x'\n")
    assert gather(folder).seeds is None


def test_paths_are_relative_to_who_names_them(repo):
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


OWN = """
[tool.zsgate]
label = "cell_type"
[tool.zsgate.datasets.mine]
path = "lab.h5ad"
donor = "patient"
[tool.zsgate.datasets.theirs]
path = "/abs/theirs.zarr"
scope = "cells"
"""


def test_own_datasets_are_declared_in_tables(repo):
    """Tables declare datasets and are judged on; --datasets selects among them, and the catalogue's."""
    folder, write = repo
    write(OWN)
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


def test_what_is_typed_counts_more_than_a_table(repo):
    """Columns and scope, by an option or a variable; where no file is judged on there is nothing to type them for."""
    folder, write = repo
    write(OWN)
    sources = chosen(gather(folder, {"donor": "mouse", "scope": "donors"}, {"ZSGATE_LABEL": "type"}))
    assert sources["mine"].columns == Columns(label="type", donor="mouse")
    assert (sources["theirs"].scope, sources["theirs"].columns.donor) == ("donors", "mouse")
    assert chosen(gather(folder, {"datasets": "mine,pancreas", "label": "type"}))["mine"].columns.label == "type"
    with pytest.raises(UsageProblem, match="--label is for files of your own"):
        chosen(gather(folder, {"datasets": "pancreas", "label": "type"}))
    assert list(chosen(gather(folder, {"datasets": "pancreas"}, {"ZSGATE_LABEL": "type"}))) == ["pancreas"]


def test_what_a_project_usually_judges_on_is_known(repo):
    """By pyproject.toml alone, whatever is selected; without a word of it the paper's datasets."""
    folder, write = repo
    write(OWN.replace("[tool.zsgate]\n", "[tool.zsgate]\njudge_on = ['pancreas', 'mine']\n"))
    assert gather(folder, {"datasets": "mine"}, {"ZSGATE_TIER": "quick"}).usual == ("pancreas", "mine", "theirs")
    write("[tool.zsgate]\ndatasets = ['a/lab.h5ad']\n")
    assert gather(folder, {"datasets": "pancreas"}).usual == ("lab",)
    write("[tool.zsgate]\ntier = 'pr'\n")
    assert gather(folder, {"tier": "quick"}).usual == ("pancreas", "pbmc_12k")
    write("")
    assert gather(folder, {"tier": "quick"}).usual == Config(model="m").dataset_names


def test_a_folder_s_slash_is_no_part_of_its_name(tmp_path):
    """As completion types it."""
    (source,) = chosen(gather(tmp_path, {"datasets": "lab.zarr/"})).values()
    assert (source.name, source.path) == ("lab", tmp_path / "lab.zarr")


def test_judge_on_selects_beside_tables(repo):
    """TOML has one meaning for ``datasets``, so the list beside tables is called judge_on."""
    folder, write = repo
    write(OWN.replace("[tool.zsgate]\n", "[tool.zsgate]\njudge_on = ['pancreas', 'mine']\n"))
    assert gather(folder).dataset_names == ("pancreas", "mine")
    write("[tool.zsgate]\njudge_on = ['pancreas']\ndatasets = ['pbmc_12k']\n")
    with pytest.raises(UsageProblem, match="datasets and judge_on both list what to judge on"):
        gather(folder)


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
def test_a_table_of_a_dataset_that_cannot_be_read_is_refused(repo, table, says):
    """Unknown keys are errors with the nearest name."""
    folder, write = repo
    write(f"[tool.zsgate.datasets]\n{table}\n")
    with pytest.raises(UsageProblem) as refused:
        gather(folder)
    assert says in str(refused.value)


def test_a_dataset_nobody_knows_is_refused(repo):
    """The nearest name of the user's tables and the catalogue; two of one name are refused as well."""
    folder, write = repo
    write(OWN)
    with pytest.raises(UsageProblem, match=r"unknown dataset 'mne'; did you mean 'mine'\?"):
        chosen(gather(folder, {"datasets": "mne"}))
    with pytest.raises(UsageProblem, match=r"unknown dataset 'pancres'; did you mean 'pancreas'\?"):
        chosen(gather(folder, {"datasets": "pancres"}))
    with pytest.raises(UsageProblem, match="two datasets are named 'mine'; rename one of the files"):
        chosen(gather(folder, {"datasets": "mine,other/mine.h5ad"}))


def test_a_mirror_is_a_folder_or_an_address(repo):
    """A folder is made absolute, an address stays."""
    folder, write = repo
    write("[tool.zsgate]\nmirror = 'm'\n")
    assert gather(folder / "inner").mirror == str(folder / "m")
    assert gather(folder, {"mirror": "https://x.org/m"}).mirror == "https://x.org/m"


def test_models_have_tables_of_their_own(repo):
    """[tool.zsgate.models.NAME] holds settings of one model; its weights lie relative to the file."""
    folder, write = repo
    write("[tool.zsgate.models.scgpt_human]\nweights = 'w'\npreset = 'paper'\n")
    assert gather(folder / "inner").models == {"scgpt_human": {"weights": folder / "w", "preset": "paper"}}
    assert gather(folder, {"weights": "mine"}).weights == folder / "mine"


def test_only_h5ad_and_zarr_files_are_paths(tmp_path):
    """Anything else is taken for a name, so that the catalogue refuses it by the words the user typed."""
    assert gather(tmp_path, {"datasets": "data/x.zarr"}).datasets == (str(tmp_path / "data/x.zarr"),)
    assert gather(tmp_path, {"datasets": "data/x.csv"}).datasets == ("data/x.csv",)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("no", False)])
def test_a_switch_is_read_from_words(tmp_path, text, value):
    """A variable that switches takes the words of other tools."""
    assert gather(tmp_path, (), {"ZSGATE_GPU": text}).gpu is value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sedes = 3", "unknown key 'sedes'; did you mean 'seeds'?"),
        ("Seeds = 3", "unknown key 'Seeds'; did you mean 'seeds'?"),
        ("model = 'x'", "[tool.zsgate] model: only the command line names the model"),
        ("seeds = 2.5", "seeds: cannot read 2.5 as int"),
        ("seeds = true", "seeds: cannot read True as int"),
        ("seeds = 'many'", "seeds: cannot read 'many' as int"),
        ("margin = true", "margin: cannot read True as float"),
        ("label = 3", "label: cannot read 3 as text"),
        ("gpu = 'perhaps'", "gpu: cannot read 'perhaps' as bool"),
        ("gpu = 1", "gpu: cannot read 1 as bool"),
        ("report = 3", "report: cannot read 3 as a path"),
        ("cache = '~nobody_at_all/x'", "cache: cannot read '~nobody_at_all/x' as a path"),
        ("datasets = 3", "datasets: cannot read 3 as names"),
        ("datasets = [3]", "datasets: cannot read [3] as names"),
        ("datasets = ','", "datasets: cannot read ',' as names"),
        ("label = ''", "label is empty"),
        ("models.scgtp_human.dtype = 'float32'", "unknown model 'scgtp_human'; did you mean 'scgpt_human'?"),
        ("models.'my_pkg.gate:M'.dtype = 'float32'", "only packaged models have settings"),
        ("models.cellama.dtyp = 'float32'", "unknown model setting 'dtyp'; did you mean 'dtype'?"),
        ("models.cellama.weights = 3", "as tables of models"),
        ("models.cellama = 3", "as tables of models"),
        ("models = 3", "as tables of models"),
        ("seeds = ", "pyproject.toml: Invalid value (at line 2, column 9)"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(repo, line, says):
    """Unknown keys, other types and bad TOML: the sentence names the file, the key and the value."""
    folder, write = repo
    write(f"[tool.zsgate]\n{line}\n")
    with pytest.raises(UsageProblem) as refused:
        gather(folder)
    assert str(refused.value).startswith(str(folder / "pyproject.toml"))
    assert says in str(refused.value)


def test_a_file_that_is_no_table_or_no_text_is_refused(repo):
    """[tool] zsgate must be a table, and the file UTF-8."""
    folder, write = repo
    write("[tool]\nzsgate = 3\n")
    with pytest.raises(UsageProblem, match="must be a table"):
        gather(folder)
    (folder / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageProblem, match=r"pyproject\.toml: 'utf-8' codec"):
        gather(folder)


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("ZSGATE_TEIR", "quick", "unknown variable 'ZSGATE_TEIR'; did you mean 'ZSGATE_TIER'?"),
        ("ZSGATE_TIER", "quik", "unknown tier 'quik'; did you mean 'quick'?"),
        ("ZSGATE_SEEDS", "3.0", "ZSGATE_SEEDS: cannot read '3.0' as int"),
        ("ZSGATE_GPU", "maybe", "ZSGATE_GPU: cannot read 'maybe' as bool"),
        ("ZSGATE_MODEL", "cellama", "ZSGATE_MODEL: only the command line names the model"),
    ],
)
def test_a_variable_that_cannot_be_read_is_refused(tmp_path, variable, text, says):
    """A typo in a variable is an error, not a silent default."""
    with pytest.raises(UsageProblem) as refused:
        gather(tmp_path, (), {variable: text})
    assert str(refused.value).startswith(says)


def test_variables_of_others_are_left_alone(tmp_path):
    """An empty variable is not given, and the one of zsgate's own tests is not a setting."""
    environment = {"ZSGATE_TEST_DATA": "/x", "ZSGATE_SEEDS": "", "ZSGATE_TEIR": "", "zsgate_tier": "x"}
    assert gather(tmp_path, (), environment) == Config(model="m")


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
        ("label", "", "--label is empty"),
        ("datasets", "", "--datasets is empty"),
        ("model", "", "--model is empty"),
    ],
)
def test_an_option_that_no_run_can_use_is_refused(tmp_path, option, value, says):
    """Limits and choices; an empty value, as an unset variable of a CI job leaves it, is no silent default."""
    with pytest.raises(UsageProblem) as refused:
        gather(tmp_path, {option: value})
    assert str(refused.value).startswith(says)


def test_the_nearest_name_ignores_case():
    """A name in another case is the nearest; nothing near is None."""
    assert nearest("CELL_TYPE", ["cell_type", "batch"]) == "cell_type"
    assert nearest("xyz", ["cell_type", "batch"]) is None
