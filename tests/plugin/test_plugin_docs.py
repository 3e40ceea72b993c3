"""What the documents show is what the code has: models, options, exit codes, tables, links, length."""

from __future__ import annotations

import re
import runpy
import sys
import tomllib
from datetime import date

import numpy as np
import pytest
from documents import PAGES, ROOT, blocks, of_language

from zsgate import cli
from zsgate.config.config import Config
from zsgate.models.environments.environment import environments
from zsgate.models.pretrained.checkpoints import TABLE
from zsgate.plugin import options as plugin
from zsgate.run.datasets import chosen

HERE = "https://github.com/zsgate/zsgate/"
RAW = "https://raw.githubusercontent.com/zsgate/zsgate/main/"
LINK = re.compile(r"\]\(([^)\s]+)\)")
PYTESTS = {"junitxml", "html", "help", "zsgate-model"}


def test_the_readme_s_model_runs_with_its_pyproject(project, verdict):
    """The 20 lines of the README gate a model, its untrained twin included."""
    (code,) = of_language("README.md", "python")
    table = of_language("README.md", "toml")[0]
    (project.path / "my_pkg").mkdir()
    (project.path / "my_pkg" / "gate.py").write_text(code, encoding="utf-8")
    assert len(code.splitlines()) <= 20
    assert tomllib.loads(table)["tool"]["zsgate"]["datasets"] == ["pancreas_quick", "lab.h5ad"]
    (project.path / "pyproject.toml").write_text(
        table.replace('"pancreas_quick", "lab.h5ad"', '"cells.h5ad"'), encoding="utf-8"
    )
    result = project.runpytest_subprocess("--model=my_pkg.gate:MyModel", "-k", "(hvg or random_init) and asw")

    assert result.ret in (0, 1), result.stdout.str()
    assert {each["baseline"] for each in verdict()["verdicts"]} == {"hvg", "random_init"}


def test_the_contributing_model_is_an_adapter(few_cells):
    """The example of CONTRIBUTING keeps the adapter's contract."""
    from zsgate.models.adapter import Adapter

    namespace: dict = {}
    exec(of_language("CONTRIBUTING.md", "python")[0], namespace)
    model = namespace["Lengths"]()

    assert isinstance(model, Adapter)
    rows = model.embed(few_cells)
    assert rows.shape == (few_cells.n_cells, 2)
    assert rows.dtype == np.float32


def test_the_model_of_the_documents_reconstructs(few_cells):
    """The example's windows are read; halves of the shown counts are told from what it says of hidden ones."""
    from zsgate.baselines.averages import AVERAGES
    from zsgate.metrics.reconstruction.one_pass import one_pass
    from zsgate.models.user_model import UserModel

    namespace: dict = {}
    exec(of_language("docs/howto/reconstruction.md", "python")[0], namespace)
    model = UserModel("docs:HalfRight", model=namespace["HalfRight"]())
    found = {masked: one_pass(model, few_cells, AVERAGES, masked) for masked in (0.0, 0.15)}

    counts = few_cells.counts
    expected = np.mean([np.mean((counts[cell].data / 2) ** 2) for cell in range(few_cells.n_cells)])
    ours = {masked: each.columns["default"]["mse_gep"]["candidate"][0] for masked, each in found.items()}
    assert abs(ours[0.0] / expected - 1) < 1e-6
    assert found[0.15].scale == "counts"
    assert ours[0.15] > ours[0.0]


def test_a_control_that_is_merely_unsure_breaks_nothing(gate, project, verdict):
    """Counts of few cells cannot tell a copy of the input from a gene's mean: the documents' model loses, exit 1."""
    (project.path / "half.py").write_text(of_language("docs/howto/reconstruction.md", "python")[0], encoding="utf-8")
    result = gate("half:HalfRight", "-k", "reconstruction or identity_copy")

    copies = [each for each in verdict()["controls"] if each["control"] == "identity_copy" and not each["advisory"]]
    assert ("inconclusive", True, True) in {(each["got"], each["too_little"], each["passed"]) for each in copies}
    assert (result.ret, verdict()["gate"]) == (1, "lost"), result.stdout.str()


def test_the_models_of_the_documents_pass_the_contract(pytester):
    """CONTRIBUTING's adapter and the README's own model pass the ten tests that come with the package."""
    adapter, of_adapter = of_language("CONTRIBUTING.md", "python")
    _, contract, _ = of_language("docs/tutorials/own_model.md", "python")
    (pytester.path / "my_pkg").mkdir()
    (pytester.path / "my_pkg" / "gate.py").write_text(of_language("README.md", "python")[0], encoding="utf-8")
    (pytester.path / "lengths.py").write_text(adapter, encoding="utf-8")
    pytester.makepyfile(test_own=contract, test_adapter=of_adapter)
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-W", "error::pytest.PytestWarning", "-rs")

    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=17, skipped=3)  # both read any gene; the adapter has no twin


def test_the_documents_policies_and_waivers_run(project, verdict, gate):
    """Their table makes noise that loses pass: advisory metrics are shown, and the waiver covers HVG."""
    (table,) = of_language("docs/howto/waivers.md", "toml")
    table = table.replace("2027-06-30", str(date.today()))  # that day will have passed
    table = table.replace('"lab-', '"cells-').replace("lab.h5ad", "cells.h5ad")
    (project.path / "pyproject.toml").write_text(table, encoding="utf-8")
    result = gate("models:bad", "-k", "hvg and (avg_bio or label_transfer or connectivity or bras)")

    judged = {each["metric"]: each for each in verdict()["verdicts"]}
    assert set(judged) == {"avg_bio", "label_transfer", "graph_connectivity", "bras"}
    assert [judged[name]["advisory"] for name in ("bras", "label_transfer")] == [True, False]
    assert (judged["avg_bio"]["margin"], judged["avg_bio"]["threshold"]) == (0.02, 0.3)
    assert judged["avg_bio"]["waiver"]["owner"] == "Ada"
    assert result.ret == (0 if judged["label_transfer"]["waiver"] else 1)


@pytest.mark.parametrize("page", PAGES)
def test_every_option_of_a_page_exists(page):
    """Each --option in code is one of the plugin or of zsgate NOUN VERB, pytest's own and other programs' aside."""
    text = (ROOT / page).read_text(encoding="utf-8")
    code = [each.text for each in blocks(page) if each.language == "bash"] + re.findall(r"`([^`\n]+)`", text)
    ours = [line for each in code for line in each.splitlines() if re.match(r"(--|pytest|zsgate)", line.strip())]
    typed = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", "\n".join(ours)))

    assert typed - PYTESTS - {"pdb", "co", "dist", "runxfail"} <= known_options()


def known_options() -> set[str]:
    """Return the long options of the plugin and of ``zsgate``."""
    return {*plugin.SWITCHES, *plugin.VALUES, *options_of(cli._parser())}


def options_of(parser):
    """Return the long options of a parser and of all below it."""
    below = [one for action in parser._actions if isinstance(action.choices, dict) for one in action.choices.values()]
    own = {option[2:] for action in parser._actions for option in action.option_strings if option.startswith("--")}
    return own.union(*map(options_of, below))


@pytest.mark.parametrize("page", ["README.md", "docs/reference/exit_codes.md"])
def test_the_exit_codes_are_explained(page):
    """There is a row for every exit code."""
    text = (ROOT / page).read_text(encoding="utf-8")

    assert [f"| {code} |" in text for code in range(6)] == [True] * 6


def test_the_readme_is_short():
    """What, two commands, a picture, 20 lines of a model and of CI; all else is in docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 1200
    assert [len(each.splitlines()) for each in of_language("README.md", "yaml")] <= [20]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    """What a page links of this project is in the checkout; README and CONTRIBUTING link by full addresses."""
    for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
        inside = re.sub(rf"^({re.escape(RAW)}|{re.escape(HERE)}(blob|tree)/main/)", "", target)
        if not inside.startswith(("http", "#")):
            full = inside != target
            assert full or page not in ("README.md", "CONTRIBUTING.md"), f"{target} is broken on a package index"
            base = ROOT if full else (ROOT / page).parent
            assert (base / inside.partition("#")[0]).exists(), target


def test_the_documents_tables_of_datasets_are_read(tmp_path):
    """The table of the user's data is one that zsgate reads as it says."""
    table = of_language("docs/tutorials/own_data.md", "toml")[0]
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    config = Config.gather({"model": "my_pkg.gate:MyModel"}, {}, tmp_path)
    assert list(chosen(config)) == ["islets", "pancreas_quick"]
    (tmp_path / "pyproject.toml").write_text(of_language("docs/howto/leakage.md", "toml")[0], encoding="utf-8")
    config = Config.gather({"model": "my_pkg.gate:MyModel"}, {}, tmp_path)
    assert config.models["my_pkg.gate:MyModel"]["pretraining"] == ("pancreas",)


def test_the_worker_of_the_documents_is_judged(project, verdict, monkeypatch):
    """The script and the table of docs/worker.md, beside the file that the command line writes."""
    monkeypatch.delenv("ZSGATE_ISOLATION")
    (code,) = of_language("docs/worker.md", "python")
    (table,) = of_language("docs/worker.md", "toml")
    (project.path / "worker.py").write_text(code, encoding="utf-8")
    assert cli.main(["models", "worker", str(project.path)]) == 0
    command = table.replace('"python worker.py"', f'"{sys.executable} worker.py"')
    assert command != table
    (project.path / "pyproject.toml").write_text(command, encoding="utf-8")
    columns = ("--datasets=cells.h5ad", "--label=cell_type", "--batch=sample", "--donor=donor")
    result = project.runpytest_subprocess("--model=mine", *columns, "-k", "(hvg or random_init) and asw")

    assert result.ret in (0, 1), result.stdout.str()
    assert {each["baseline"] for each in verdict()["verdicts"]} == {"hvg", "random_init"}
    assert verdict()["model_card"]["code_licence"] == "MIT"


def test_the_documents_say_of_each_model_what_is_shown():
    """The columns are those of `zsgate models list`, family by family; the README names what the long table has."""
    lines = (ROOT / "docs/reference/models.md").read_text(encoding="utf-8").splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("| `--model` | what it is"))
    told = {}
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        told |= dict.fromkeys(re.findall(r"`([^`]+)`", cells[0]), cells[-4:])
    apart = environments(ROOT)
    for name, shown in [(each.checkpoints[0].name, each.verified) for each in TABLE] + [
        (name, apart[name].card.verified) for name in ("transcriptformer", "cellplm")
    ]:
        flags = (shown.tokens, shown.forward, shown.end_to_end, shown.published)
        expected = ["yes" if each else "no" for each in flags]
        assert told[name] == expected, name
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [each.checkpoints[0].name for each in TABLE if f"`{each.checkpoints[0].name}`" not in readme] == []


def test_the_tables_of_the_reference_are_the_code_s():
    """Options, settings, commands and fields of verdict.json: ``python docs/reference/tables.py`` writes them."""
    folder = ROOT / "docs" / "reference"
    tables = runpy.run_path(str(folder / "tables.py"))
    for page in tables["PAGES"]:
        text = (folder / page).read_text(encoding="utf-8")
        assert tables["written"](text) == text, f"{page}: run python docs/reference/tables.py"
