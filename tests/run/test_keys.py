"""Nothing goes stale: an edit of any source that decides a result is another key, for each kind of what is kept."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# prints, for each kind of artefact, the files of which an edit changes its key as the product makes it
EDITS = '''
import dataclasses, hashlib, json, sys
from pathlib import Path

import numpy as np

from zsgate.data.catalogue.cards import CARDS
from zsgate.data.catalogue.files import Shelf
from zsgate.data.catalogue.load import load
from zsgate.errors import UsageProblem
from zsgate.metrics import METRICS
from zsgate.models.families.cellama.adapter import CELLama
from zsgate.models.embedding import Embedding
from zsgate.models.user_model import UserModel
from zsgate.run import reconstructions
from zsgate.run.datasets import _key_of
from zsgate.run.embeddings import BaselineMaker, Scoring, of_baseline, of_model
from zsgate.run.ledger import Ledger
from zsgate.run.methods import Candidate
from zsgate.system.sources import code_of
from zsgate.system.store import Store
from zsgate.verdict.recipe import DEFAULT


class Asked(BaseException):
    """The key, in the place of what is kept under it."""


class Spy(Store):
    makes_nothing = True  # no cells are embedded to see whether kept rows are a model's own

    def json(self, kind, key, compute):
        raise Asked(json.dumps(key, sort_keys=True))

    def arrays(self, kind, key, compute, about=None):
        raise Asked(json.dumps(key, sort_keys=True))

    def has(self, kind, key, suffix=".npz"):
        return False


class Mine:
    fingerprint, scale = "1", "counts"

    def embed(self, adata):
        return adata.X[:, :5].toarray()

    def random_init(self, seed):
        return self

    def reconstruct(self, adata, *, masked=0.0, seed=0):
        return iter(())


dataset = load("pancreas_quick").subset(np.arange(60))
ledger, scoring = Ledger(Spy(Path("none")), Spy(Path("none"))), Scoring(DEFAULT, 2)
mine = UserModel("a:Mine", model=Mine())
settings = {"seeds": 2, "schedule": "levels_off", "device": "cpu", "on": "counts"}
rows = Embedding.of(np.random.default_rng(0).normal(size=(60, 4)))


def score(metric):
    from zsgate.metrics.cache import forget

    forget()
    return lambda: metric(dataclasses.replace(rows, store=ledger.lasting), dataset)


def asked(function):
    try:
        found = function()
    except Asked as key:
        return str(key)
    return str(found)


KINDS = {
    "fingerprint of cellama": lambda: CELLama().fingerprint,
    "cells of a dataset": lambda: repr(_key_of(CARDS["pancreas_quick"], Shelf(Path("none")), None)),
    "embedding of a model": lambda: of_model("mine", mine, dataset, ledger, scoring),
    "embedding of pca": lambda: of_baseline("pca", BaselineMaker.of("pca", mine, settings), dataset, ledger, scoring),
    "embedding of twins": lambda: of_baseline(
        "random_init", BaselineMaker.of("random_init", mine, settings), dataset, ledger, scoring
    ),
    "reconstruction": lambda: reconstructions.made(Candidate("mine", None, model=mine), dataset, 0.15, ledger),
    "score pcr_comparison": score(METRICS["pcr_comparison"]),
    "score asw": score(METRICS["asw"]),
    "code of scgpt": lambda: code_of("zsgate.models.families.scgpt.adapter", "zsgate.models.families.scgpt.load"),
}
before = {kind: asked(function) for kind, function in KINDS.items()}
changes = {kind: [] for kind in KINDS}
for path in (Path("zsgate", name) for name in sys.argv[1:]):
    text = path.read_text()
    path.write_text(text + "\\n# edited")
    code_of.cache_clear()
    for kind, function in KINDS.items():
        if asked(function) != before[kind]:
            changes[kind].append(path.relative_to("zsgate").as_posix())
    path.write_text(text)
code_of.cache_clear()
assert before == {kind: asked(function) for kind, function in KINDS.items()}
print(json.dumps(changes))
'''
# files that decide a result of a kind, and files that do not
DECIDES = {
    "fingerprint of cellama": {
        "models/families/cellama/adapter.py",
        "models/families/cellama/tokens.py",
        "models/transformer/encoder.py",
    },
    "cells of a dataset": {
        *("data/file/kept.py", "data/file/table.py", "data/read.py", "data/genes.py", "data/annotations.py"),
        *("data/catalogue/builders.py", "data/catalogue/sample.py"),
    },
    "embedding of a model": {
        "models/user_model.py",
        "run/checks/stability.py",
        "data/dataset.py",
        "models/embedding.py",
    },
    "embedding of pca": {"baselines/pca.py", "data/preprocess.py", "models/embedding.py"},
    "embedding of twins": {"baselines/random_init.py", "models/user_model.py", "run/checks/stability.py"},
    "reconstruction": {
        *("metrics/reconstruction/one_pass.py", "metrics/reconstruction/values.py", "models/user_model.py"),
        *("baselines/mean.py", "baselines/average_rank.py", "models/reconstruction/reconstruction.py"),
        *("models/reconstruction/hiding.py", "models/reconstruction/targets.py"),
    },
    "score pcr_comparison": {"metrics/embedding/pcr.py", "data/preprocess.py", "metrics/metric.py"},
    "score asw": {"metrics/embedding/distance_pass.py", "metrics/neighbours/distances.py", "metrics/cells.py"},
    "code of scgpt": {
        *("models/pretrained/predictions.py", "models/pretrained/adapter.py", "models/families/scgpt/network.py"),
        *("models/transformer/attention.py", "models/pretrained/weights.py"),
    },
}
DOES_NOT = {
    "fingerprint of cellama": {"models/families/scgpt/network.py", "verdict/verdict.py"},
    "cells of a dataset": {"metrics/cells.py", "models/embedding.py", "run/checks/stability.py", "report/sentence.py"},
    "embedding of a model": {"models/families/scgpt/network.py", "metrics/cells.py", "report/sentence.py"},
    "embedding of pca": {"baselines/scvi/baseline.py", "baselines/hvg.py", "metrics/cells.py"},
    "embedding of twins": {"baselines/scvi/baseline.py", "metrics/cells.py"},
    "reconstruction": {"metrics/embedding/pcr.py", "report/sentence.py", "baselines/scvi/baseline.py"},
    "score pcr_comparison": {"metrics/embedding/bras.py", "models/user_model.py", "verdict/verdict.py"},
    "score asw": {"metrics/embedding/bras.py", "metrics/embedding/lisi_kbet.py", "data/preprocess.py"},
    "code of scgpt": {"models/families/geneformer/network.py", "models/families/cellama/adapter.py"},
}


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the files of which an edit changes the key of each kind, tried one by one on a copy of the package."""
    place = tmp_path_factory.mktemp("edited")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "zsgate", place / "zsgate", ignore=ignored)
    for part in ("baselines", "fixtures", "suites"):
        shutil.copytree(ROOT / part, place / "zsgate" / part, ignore=ignored)
    named = sorted(set().union(*DECIDES.values(), *DOES_NOT.values()))
    done = subprocess.run([sys.executable, "-c", EDITS, *named], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {kind: set(files) for kind, files in json.loads(done.stdout).items()}


@pytest.mark.parametrize("kind", DECIDES)
def test_an_edit_of_what_computes_is_another_key(changes, kind):
    """Each file that has a part in a result is in its key; what has none is not, so that little is made again."""
    assert DECIDES[kind] <= changes[kind]
    assert not DOES_NOT[kind] & changes[kind]
