"""Variables and pyproject.toml: which file counts, and how what cannot be read is refused."""

from __future__ import annotations

import pytest

from zsgate.config.config import Config
from zsgate.errors import UsageProblem


def test_only_the_nearest_pyproject_counts(repo, gather):
    """A project's own pyproject.toml hides those above it, also when it says nothing of zsgate."""
    folder, write = repo
    write("[tool.zsgate]\nseeds = 3\n", place=".")
    assert gather(folder).seeds == 3
    write("[project]\nname = 'x'\n")
    assert gather(folder).seeds is None


def test_judge_on_selects_beside_tables(repo, gather, own):
    """TOML has one meaning for ``datasets``, so the list beside tables is called judge_on."""
    folder, write = repo
    write(own.replace("[tool.zsgate]\n", "[tool.zsgate]\njudge_on = ['pancreas', 'mine']\n"))
    assert gather(folder).dataset_names == ("pancreas", "mine")
    write("[tool.zsgate]\njudge_on = ['pancreas']\ndatasets = ['pbmc_12k']\n")
    with pytest.raises(UsageProblem, match="datasets and judge_on both list what to judge on"):
        gather(folder)


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
        ("cache = '~nobody_at_all/x'", "cache: ~nobody_at_all/x: there is no such home folder"),
        ("datasets = 3", "datasets: cannot read 3 as names"),
        ("datasets = [3]", "datasets: cannot read [3] as names"),
        ("datasets = ','", "datasets: cannot read ',' as names"),
        ("label = ''", "label is empty"),
        ("models.scgtp_human.dtype = 'float32'", "unknown model 'scgtp_human'; did you mean 'scgpt_human'?"),
        ("models.'my_pkg.gate:M'.dtype = 'float32'", "packaged ones and commands have settings"),
        ("models.cellama.dtyp = 'float32'", "unknown model setting 'dtyp'; did you mean 'dtype'?"),
        ("models.cellama.weights = 3", "as tables of models"),
        ("models.cellama = 3", "as tables of models"),
        ("models = 3", "as tables of models"),
        ("seeds = ", "pyproject.toml: Invalid value (at line 2, column 9)"),
        ("memory = inf", "memory: cannot read inf as a number of GB"),
        ("memory = 1e-12", "memory must be a number of GB above 0, not 1e-12"),
        (f"margin = 1{'0' * 400}", "margin: cannot read 1000"),
        (f"margin = 0x{'f' * 5000}", "margin: cannot read a number of thousands of digits as float"),
        (f"seeds = '{'x' * 70_000}'", "xxx ... as int"),
        (f"tier = '{'x' * 70_000}'", "xxx ... (known: "),
        ("timeout = inf", "timeout must be a number of seconds above 0 and below 1e+09, not inf"),
        (f"budget = '{'9' * 400}h'", "999h' as a time such as 45m"),
        ("models.cellama.timeout = -3", "models: timeout must be a number of seconds above 0"),
        ("not_labels = {unknown = 1}", "not_labels: cannot read {'unknown': 1} as a list of texts"),
        ('weights = "a\\u0000b"', "weights: 'a\\x00b': no file has a name with a NUL in it"),
        ('datasets."two\\nlines".x = 1', "datasets: two lines: unknown key 'x'"),
        ("label = " + "[" * 5000, "maximum recursion depth exceeded"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(repo, line, says, gather):
    """Unknown keys, other types and bad TOML: the sentence names the file, the key and the value."""
    folder, write = repo
    write(f"[tool.zsgate]\n{line}\n")
    with pytest.raises(UsageProblem) as refused:
        gather(folder)
    said = str(refused.value)
    assert said.startswith(str(folder / "pyproject.toml")) or line.startswith("tier")
    assert says in said
    assert len(said.splitlines()) == 1
    assert len(said) < 2000


def test_a_file_that_is_no_table_or_no_text_is_refused(repo, gather):
    """[tool] zsgate must be a table, and the file UTF-8."""
    folder, write = repo
    for text in ("[tool]\nzsgate = 3\n", "tool = 3\n", "[[tool]]\n"):
        write(text)
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
def test_a_variable_that_cannot_be_read_is_refused(tmp_path, variable, text, says, gather):
    """A typo in a variable is an error, not a silent default."""
    with pytest.raises(UsageProblem) as refused:
        gather(tmp_path, (), {variable: text})
    assert str(refused.value).startswith(says)


def test_variables_of_others_are_left_alone(tmp_path, gather):
    """An empty variable is not given, and the one of zsgate's own tests is not a setting."""
    environment = {"ZSGATE_TEST_DATA": "/x", "ZSGATE_SEEDS": "", "ZSGATE_TEIR": "", "zsgate_tier": "x"}
    assert gather(tmp_path, (), environment) == Config(model="m")


@pytest.mark.parametrize(("text", "value"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("no", False)])
def test_a_switch_is_read_from_words(tmp_path, text, value, gather):
    """A variable that switches takes the words of other tools."""
    assert gather(tmp_path, (), {"ZSGATE_GPU": text}).gpu is value
