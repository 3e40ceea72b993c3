"""Environments of models' own: made whole or not at all, made anew where their files change, named in what is kept."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from environment_cards import write_environment

from zsgate.config.config import Config
from zsgate.data.dataset import Dataset
from zsgate.errors import MachineFailed, UsageProblem
from zsgate.models import MODELS
from zsgate.models.environments.build import build, find_python
from zsgate.models.environments.environment import BUILT, Environment, environments, find_environment
from zsgate.models.precomputed.adapter import Precomputed
from zsgate.models.pretrained.checkpoint import Verified
from zsgate.models.worker.launch import Place, launch_command
from zsgate.run.before.loading import load_model
from zsgate.run.ledger import Ledger
from zsgate.system.store import Store

SHIPPED = environments(Path("cache"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment that has been made."""
    folder = tmp_path_factory.mktemp("environments")
    write_environment(folder / "cards")
    found = find_environment("tiny", folder / "cache", folder / "cards")
    assert found.state == "absent"
    assert build(found)
    return found


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Return a folder of weights."""
    (tmp_path / "scale.txt").write_text("2")
    return tmp_path


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_says_what_is_so(name: str) -> None:
    """Pins are exact and name their Python; what has no worker says why, and nothing is shown of it."""
    environment = SHIPPED[name]
    assert name not in MODELS
    if environment.state == "impossible":
        assert environment.card.stopped
        assert environment.card.verified == Verified()
        assert not (environment.source / "requirements.txt").exists()
        return
    first, *pins = (environment.source / "requirements.txt").read_text().splitlines()
    assert first.startswith(f"# Python {environment.card.python}")
    assert all(pin.count("==") == 1 for pin in pins if not pin.startswith("#"))
    source = (environment.source / "worker.py").read_text()
    assert len(source.splitlines()) <= 60
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    (serve,) = (call for call in calls if getattr(call.func, "id", "") == "serve")
    assert {"independent_cells", "stochastic"} <= {keyword.arg for keyword in serve.keywords}


def test_it_is_made_once(made: Environment) -> None:
    """Until a file that it is made from is another one; what is installed is written down."""
    assert made.state == "built"
    assert not build(made)
    assert "borrowed==1.0" in (made.place / BUILT).read_text().splitlines()
    worker = made.source / "worker.py"
    before = worker.read_text()
    worker.write_text(before + "\n# edited")
    assert made.state == "outdated"
    with pytest.raises(UsageProblem, match=r"another version of its files; make it by: zsgate models setup tiny"):
        made.command(Path())
    worker.write_text(before)
    assert made.state == "built"


def test_its_worker_serves_the_model(made: Environment, weights: Path, few_cells: Dataset) -> None:
    """By the environment's interpreter, beside a copy of the protocol; what is installed is part of the fingerprint."""
    place = Place(folder=weights, scratch=weights / "scratch")
    place.scratch.mkdir()
    worker = launch_command("tiny", place, {"command": made.command(weights)})
    try:
        assert (worker.info.name, worker.info.code_licence, worker.info.dimensions) == ("tiny", "MIT", 40)
        rows = worker.embed(few_cells)
        np.testing.assert_allclose(rows, 2 * np.log1p(few_cells.counts[:, :40].toarray()), rtol=1e-6)
        fingerprint = worker.fingerprint
    finally:
        worker.close()
    kept = (made.place / BUILT).read_text()
    (made.place / BUILT).write_text(kept + "another==2.0\n")
    other = launch_command("tiny", place, {"command": made.command(weights)})
    other.close()
    (made.place / BUILT).write_text(kept)
    assert other.fingerprint != fingerprint


def test_what_cannot_be_installed_leaves_nothing(tmp_path: Path) -> None:
    """And the installer's last lines are told; so does what a killed process left."""
    source = write_environment(tmp_path / "cards")
    (source / "requirements.txt").write_text(f"absent @ {(tmp_path / 'absent-1.0-py3-none-any.whl').as_uri()}\n")
    environment = find_environment("tiny", tmp_path / "cache", tmp_path / "cards")
    (environment.place / "venv").mkdir(parents=True)
    (environment.place / "venv" / "half.txt").touch()
    assert environment.state == "absent"
    with pytest.raises(MachineFailed, match=r"tiny: installing its requirements failed .*\n(?s:.*)absent-1.0"):
        build(environment)
    assert not environment.place.exists()


def test_what_is_not_there_is_said(made: Environment, tmp_path: Path) -> None:
    """The environment, its weights, the Python that it needs, or a way to make it."""
    with pytest.raises(UsageProblem, match=r"needs --weights DIR; it must hold a number in scale\.txt"):
        made.command(None)
    with pytest.raises(UsageProblem, match="no such file or folder; it must hold"):
        made.command(tmp_path / "absent")
    with pytest.raises(UsageProblem, match=r"Python 9\.9 is needed and not here"):
        find_python("9.9")
    assert find_python(f"{sys.version_info.major}.{sys.version_info.minor}") == sys.executable
    with pytest.raises(UsageProblem, match="did you mean 'tiny'"):
        find_environment("tinny", tmp_path, made.source.parent)
    stopped = next(each for each in SHIPPED.values() if each.state == "impossible")
    with pytest.raises(UsageProblem, match=f"{stopped.name} cannot be set up: "):
        build(stopped)


def test_who_else_can_write_there_is_not_trusted(made: Environment, weights: Path) -> None:
    """As of the cache: who changes an interpreter changes scores."""
    made.place.chmod(0o777)
    try:
        with pytest.raises(UsageProblem, match="everybody can write to it"):
            made.command(weights)
    finally:
        made.place.chmod(0o755)


def test_a_run_says_how_it_is_made(tmp_path: Path) -> None:
    """``--model=NAME`` of one that is not there; a file of that name is a file."""
    config = Config.gather({"model": "transcriptformer", "cache": str(tmp_path)}, {}, tmp_path, models=MODELS)
    ledger = Ledger(Store(tmp_path), Store(tmp_path / "runs" / "one"))
    with pytest.raises(UsageProblem, match="make it by: zsgate models setup transcriptformer"):
        load_model("transcriptformer", config, tmp_path, ledger, weights=tmp_path)
    np.savez(tmp_path / "transcriptformer", X=np.eye(3), ids=np.array(["a", "b", "c"]))
    (tmp_path / "transcriptformer.npz").rename(tmp_path / "transcriptformer")
    assert isinstance(load_model("transcriptformer", config, tmp_path, ledger), Precomputed)


def test_a_table_limits_it_and_names_its_weights(tmp_path: Path) -> None:
    """As it does of packaged models; what only these read is refused."""
    table = tmp_path / "pyproject.toml"
    table.write_text('[tool.zsgate.models.transcriptformer]\nweights = "tf"\ntimeout = 60\nmemory = 16\n')
    found = Config.gather({"model": "transcriptformer"}, {}, tmp_path).models["transcriptformer"]
    assert found == {"weights": tmp_path / "tf", "timeout": 60.0, "memory": 16_000_000_000}
    table.write_text('[tool.zsgate.models.transcriptformer]\npreset = "paper"\n')
    with pytest.raises(UsageProblem, match="unknown model setting 'preset'"):
        Config.gather({"model": "transcriptformer"}, {}, tmp_path)
