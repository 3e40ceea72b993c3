"""What the documents show is what runs."""

from __future__ import annotations

import re
import sys
import tomllib
from datetime import date
from pathlib import Path

import numpy as np

from zsgate import cli
from zsgate.config.config import Config
from zsgate.models.environments.environment import environments
from zsgate.models.pretrained.checkpoints import TABLE
from zsgate.plugin import options as plugin
from zsgate.run.datasets import chosen

ROOT = Path(__file__).parent.parent.parent


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_readme_s_model_runs_with_its_pyproject(project, verdict):
    """The 20 lines of the README gate a model, its untrained twin included."""
    (code,) = blocks("README.md", "python")
    table = blocks("README.md", "toml")[0]
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
    exec(blocks("CONTRIBUTING.md", "python")[0], namespace)
    model = namespace["Lengths"]()

    assert isinstance(model, Adapter)
    rows = model.embed(few_cells)
    assert rows.shape == (few_cells.n_cells, 2)
    assert rows.dtype == np.float32


def test_the_contributing_model_reconstructs(few_cells):
    """The example's windows are read; halves of the shown counts are told from what it says of hidden ones."""
    from zsgate.baselines.averages import AVERAGES
    from zsgate.metrics.reconstruction.one_pass import one_pass
    from zsgate.models.user_model import UserModel

    namespace: dict = {}
    exec(blocks("CONTRIBUTING.md", "python")[2], namespace)
    model = UserModel("docs:HalfRight", model=namespace["HalfRight"]())
    found = {masked: one_pass(model, few_cells, AVERAGES, masked) for masked in (0.0, 0.15)}

    counts = few_cells.counts
    expected = np.mean([np.mean((counts[cell].data / 2) ** 2) for cell in range(few_cells.n_cells)])
    ours = {masked: each.columns["default"]["mse_gep"]["candidate"][0] for masked, each in found.items()}
    assert abs(ours[0.0] / expected - 1) < 1e-6
    assert found[0.15].scale == "counts"
    assert ours[0.15] > ours[0.0]


def test_the_models_of_the_documents_pass_the_contract(pytester):
    """CONTRIBUTING's adapter and the README's own model pass the ten tests that come with the package."""
    adapter, contract, _ = blocks("CONTRIBUTING.md", "python")
    (pytester.path / "my_pkg").mkdir()
    (pytester.path / "my_pkg" / "gate.py").write_text(blocks("README.md", "python")[0], encoding="utf-8")
    (pytester.path / "my_pkg" / "lengths.py").write_text(adapter, encoding="utf-8")
    of_adapter = contract.replace("my_pkg.gate import MyModel", "my_pkg.lengths import Lengths as MyModel")
    pytester.makepyfile(test_own=contract, test_adapter=of_adapter)
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-W", "error::pytest.PytestWarning", "-rs")

    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=17, skipped=3)  # both read any gene; the adapter has no twin


def test_the_readme_s_policies_and_waivers_run(project, verdict, gate):
    """Its table makes noise that loses pass: advisory metrics are shown, and the waiver covers HVG."""
    (table,) = (block for block in blocks("README.md", "toml") if "waiver" in block)
    table = table.replace("2027-06-30", str(date.today()))  # that day will have passed
    (project.path / "pyproject.toml").write_text(table.replace('"lab-', '"cells-'), encoding="utf-8")
    result = gate("models:bad", "-k", "hvg and (avg_bio or label_transfer or connectivity or bras)")

    judged = {each["metric"]: each for each in verdict()["verdicts"]}
    assert set(judged) == {"avg_bio", "label_transfer", "graph_connectivity", "bras"}
    assert [judged[name]["advisory"] for name in ("bras", "label_transfer")] == [True, False]
    assert (judged["avg_bio"]["margin"], judged["avg_bio"]["threshold"]) == (0.02, 0.3)
    assert judged["avg_bio"]["waiver"]["owner"] == "Ada"
    assert result.ret == (0 if judged["label_transfer"]["waiver"] else 1)


def test_every_option_in_the_readme_exists():
    """Each --option that the README types is one of the plugin or of zsgate NOUN VERB, pytest's own aside."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    typed = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text))

    known = {*plugin.SWITCHES, *plugin.VALUES, *options_of(cli._parser())}
    assert typed - {"junitxml", "html", "help", "zsgate-model"} <= known


def options_of(parser):
    """Return the long options of a parser and of all below it."""
    below = [one for action in parser._actions if isinstance(action.choices, dict) for one in action.choices.values()]
    own = {option[2:] for action in parser._actions for option in action.option_strings if option.startswith("--")}
    return own.union(*map(options_of, below))


def test_the_exit_codes_are_explained():
    """The README has a row for every exit code."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [f"| {code} |" in text for code in range(6)] == [True] * 6


def test_the_readme_s_tables_of_datasets_are_read(tmp_path):
    """The second table of the README is one that zsgate reads as it says."""
    (tmp_path / "pyproject.toml").write_text(blocks("README.md", "toml")[1], encoding="utf-8")
    config = Config.gather({"model": "my_pkg.gate:MyModel"}, {}, tmp_path)
    assert list(chosen(config)) == ["mine", "pancreas_quick"]
    assert config.models["my_pkg.gate:MyModel"]["pretraining"] == ("mine",)


def test_the_worker_of_the_documents_is_judged(project, verdict, monkeypatch):
    """The script and the table of docs/worker.md, beside the file that the command line writes."""
    monkeypatch.delenv("ZSGATE_ISOLATION")
    (code,) = blocks("docs/worker.md", "python")
    (table,) = blocks("docs/worker.md", "toml")
    (project.path / "worker.py").write_text(code, encoding="utf-8")
    assert cli.main(["models", "worker", str(project.path)]) == 0
    assert "uv run --project model worker.py" in table
    command = table.replace("uv run --project model", sys.executable)
    (project.path / "pyproject.toml").write_text(command, encoding="utf-8")
    columns = ("--datasets=cells.h5ad", "--label=cell_type", "--batch=sample", "--donor=donor")
    result = project.runpytest_subprocess("--model=mine", *columns, "-k", "(hvg or random_init) and asw")

    assert result.ret in (0, 1), result.stdout.str()
    assert {each["baseline"] for each in verdict()["verdicts"]} == {"hvg", "random_init"}
    assert verdict()["model_card"]["code_licence"] == "MIT"


def test_the_readme_says_of_each_model_what_is_shown():
    """Its columns are those of `zsgate models list`, family by family."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
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
