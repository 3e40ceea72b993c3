"""What `zsgate models` says: a line a model, and whether one keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from environment_cards import write_environment

from zsgate.cli import main
from zsgate.models import MODELS
from zsgate.models.environments import environment
from zsgate.models.pretrained.checkpoints import CHECKPOINTS

KEEPS = """
import numpy as np

class Mine:
    fingerprint = "1"

    def embed(self, adata):
        names = adata.var["symbol"].astype(str)
        place = np.array([int.from_bytes(name.encode()[-6:], "little") % 997 for name in names])
        return np.stack([np.bincount(place[row.indices], np.log1p(row.data), 997)[:50] for row in adata.X])

class Sorts(Mine):
    def embed(self, adata):
        rows = super().embed(adata)
        return rows[np.argsort(rows[:, 0])]
"""


def test_every_model_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With its licences and what a test shows of it."""
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = {line.split()[0] for line in lines[1:]}
    assert {*MODELS, *CHECKPOINTS, "hvg", "pca", "scvi", "harmony"} <= named
    (cellama,) = (line for line in lines if line.startswith("cellama"))
    assert cellama.split()[-4:] == ["yes"] * 4


def test_the_contract_is_tried_outside_of_pytest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 for a model that keeps it, 1 for one that breaks it, 4 for one that cannot be loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZSGATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "contract_models.py").write_text(KEEPS)
    assert main(["models", "check", "contract_models:Mine"]) == 0
    assert "contract_models:Mine: keeps the contract" in capsys.readouterr().out
    assert main(["models", "check", "contract_models:Sorts"]) == 1
    said = capsys.readouterr().out
    assert "failed   2. Permuted cells give permuted rows" in said or "failed   3. A few cells" in said
    assert main(["models", "check", "contract_models:Absent"]) == 4
    assert "cannot import it" in capsys.readouterr().err
    assert not list((tmp_path / "cache").rglob("*.h5ad"))


def test_an_environment_is_set_up(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; the list says that it is there, and what nobody knows or can make is refused."""
    write_environment(tmp_path / "cards")
    monkeypatch.setattr(environment, "files", lambda _: tmp_path / "cards")
    monkeypatch.setenv("ZSGATE_CACHE", str(tmp_path / "cache"))

    def runs() -> str:
        assert main(["models", "list"]) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if line.startswith("tiny"))

    assert "after setup" in runs()
    assert main(["models", "setup", "tiny"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].endswith("made")
    assert "pytest --model=tiny --weights DIR" in said
    assert "apart" in runs()
    assert runs().split()[-4:] == ["no", "no", "yes", "no"]
    assert main(["models", "setup", "tiny"]) == 0
    assert "is there already" in capsys.readouterr().out
    assert main(["models", "setup", "tinny"]) == 4
    assert "did you mean 'tiny'" in capsys.readouterr().err
