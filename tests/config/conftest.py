"""A repository with settings, and what a run takes from it."""

from __future__ import annotations

import pytest

from zsgate.config.config import Config
from zsgate.models import MODELS

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


@pytest.fixture
def own():
    """Return settings with two datasets of the user's."""
    return OWN


@pytest.fixture
def repo(tmp_path):
    """Return a repository with a folder inside it, and a function that writes its [tool.zsgate]."""
    (tmp_path / "repo" / "inner").mkdir(parents=True)

    def write(text, place="repo"):
        (tmp_path / place / "pyproject.toml").write_text(text, encoding="utf-8")

    return tmp_path / "repo", write


@pytest.fixture
def gather():
    """Return what takes the settings of a run of the model ``m``."""

    def gather(folder, command_line=(), environment=()):
        return Config.gather({"model": "m", **dict(command_line)}, dict(environment), folder, models=MODELS)

    return gather
