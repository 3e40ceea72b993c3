"""scGPT and Geneformer at their published sizes run the whole gate; with random weights they lose."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pandas as pd
import pytest

from benchmarks.checkpoints import MAKERS, make_scgpt
from benchmarks.checkpoints_with_tables import make_genecompass, make_scbert, make_uce
from zsgate.data.catalogue.load import load
from zsgate.data.catalogue.sample import draw_by_donor_and_type
from zsgate.data.preprocess import highly_variable
from zsgate.models.families.genecompass.network import GeneCompassShape
from zsgate.models.families.scbert.network import ScBERTShape
from zsgate.models.families.uce.network import UCEShape
from zsgate.models.transformer.bert import BertShape

ISLETS = ("--datasets=islets.h5ad", "--label=cell_type", "--batch=study", "--donor=donor", "--seeds=2")


def written(path, genes_of):
    """Write 150 real cells of 19 donors as a user's file, with the genes that ``genes_of(all cells)`` chooses."""
    whole = load("pancreas_hormone2cell")
    cells, genes = whole.subset(draw_by_donor_and_type(whole, 150)), genes_of(whole)
    obs = pd.DataFrame(
        {"cell_type": cells.cell_types, "study": cells.batches, "donor": cells.donors},
        index=cells.cell_ids.astype(object),
    ).astype("category")
    var = pd.DataFrame({"symbol": cells.symbols[genes].astype(object)}, index=cells.ensembl[genes].astype(object))
    anndata.AnnData(cells.counts[:, genes].copy(), obs=obs, var=var).write_h5ad(path)
    return path


@pytest.fixture(scope="session")
def islets(tmp_path_factory):
    """Return the file with the 2,000 most variable genes only, 93 of them in a cell: soon embedded."""
    path = tmp_path_factory.mktemp("islets") / "islets.h5ad"
    return written(path, lambda whole: highly_variable(whole))


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Write a full-size checkpoint when it is first asked for."""
    place = tmp_path_factory.mktemp("weights")

    def folder(name):
        path = place / name
        return path if path.exists() else MAKERS[name](path, None)

    return folder


def judged(result, record):
    """Assert that the gate worked, that nothing was beaten, and return the outcomes against hvg by metric."""
    assert result.ret == 1, result.stdout.str()
    assert record["failures"] == []
    assert record["controls"]
    assert all(control["passed"] for control in record["controls"])
    assert not [v["nodeid"] for v in record["verdicts"] if v["outcome"] == "beats"]
    (coverage,) = record["coverage"]
    assert coverage["model"] == record["model"]
    assert coverage["share_counts"] > 0.9
    return {v["metric"]: v["outcome"] for v in record["verdicts"] if v["baseline"] == "hvg"}


TWINS = "(hvg or random_init) and nmi"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chosen"), [("geneformer_v1_10m", TWINS), ("scgpt_human", TWINS)])
def test_an_untrained_checkpoint_beats_nothing(gate, project, verdict, islets, folders, name, chosen):
    """Tokens, forward pass, twins, controls, verdicts and page on 150 cells: exit 1, and its twins are its equals."""
    (project.path / "islets.h5ad").symlink_to(islets)
    result = gate(name, f"--weights={folders(name)}", "--offline", "-k", chosen, columns=ISLETS)

    outcomes = judged(result, verdict())
    twins = [v["outcome"] for v in verdict()["verdicts"] if v["baseline"] == "random_init"]
    assert twins == ["inconclusive"] * (chosen == TWINS)
    if name == "geneformer_v1_10m":
        assert outcomes == {"nmi": "loses"}
        assert verdict()["gate"] == "lost"


@pytest.fixture(scope="session")
def all_genes(tmp_path_factory):
    """Return the file with all genes, 5,000 of which SCimilarity must have."""
    path = tmp_path_factory.mktemp("whole") / "islets.h5ad"
    return written(path, lambda whole: np.arange(len(whole.symbols)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scimilarity", "scfoundation", "gene2vec"])
def test_an_untrained_model_of_another_family_loses(gate, project, verdict, islets, all_genes, folders, name):
    """At full shape on 150 cells: exit 1, and its twins are its equals."""
    (project.path / "islets.h5ad").symlink_to(islets if name == "scfoundation" else all_genes)
    result = gate(name, f"--weights={folders(name)}", "--offline", "-k", TWINS, columns=ISLETS)

    assert judged(result, verdict()) == {"nmi": "loses"}
    assert [v["outcome"] for v in verdict()["verdicts"] if v["baseline"] == "random_init"] == ["inconclusive"]


SMALL = {
    "uce": (make_uce, UCEShape(64, 80, 160, 2, 32, 32, 1536)),
    "scbert": (make_scbert, ScBERTShape(20, 1, 40, 8, 16_907)),
    "genecompass": (make_genecompass, GeneCompassShape(BertShape(64, 4, 128, 2, 2048, 20_000, 2, 1e-12), (32,) * 4)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_an_untrained_small_model_of_another_family_loses(gate, project, verdict, islets, tmp_path, name):
    """The files of the published models in a small size, on 150 cells: exit 1, and its twins are its equals."""
    (project.path / "islets.h5ad").symlink_to(islets)
    make, shape = SMALL[name]
    folder = make(tmp_path / name, None, shape=shape)
    result = gate(name, f"--weights={folder}", "--offline", "-k", TWINS, columns=ISLETS)

    assert judged(result, verdict())["nmi"] in ("loses", "inconclusive")
    assert verdict()["gate"] in ("lost", "inconclusive")
    assert [v["outcome"] for v in verdict()["verdicts"] if v["baseline"] == "random_init"] == ["inconclusive"]


@pytest.fixture
def in_a_hurry(project, monkeypatch):
    """Return a function that lets a model run as a user's would on a CPU: in bfloat16, and on every core."""
    monkeypatch.delenv("OMP_NUM_THREADS")

    def settings(name, preset="official"):
        project.makepyprojecttoml(f"[tool.zsgate.models.{name}]\ndtype = 'bfloat16'\npreset = '{preset}'\n")

    return settings


@pytest.mark.slow
def test_an_untrained_scgpt_loses(gate, project, verdict, folders, in_a_hurry):
    """With all genes, up to 1,199 a cell, random weights lose clearly to hvg."""
    in_a_hurry("scgpt_human")
    written(project.path / "islets.h5ad", lambda whole: np.arange(len(whole.symbols)))
    result = gate("scgpt_human", f"--weights={folders('scgpt_human')}", "-k", "hvg", columns=ISLETS)

    outcomes = judged(result, verdict())
    assert (outcomes["nmi"], outcomes["ari"], outcomes["avg_bio"]) == ("loses",) * 3


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preset"), [("geneformer_v1_10m", "official"), ("scgpt_human", "paper")])
def test_an_untrained_checkpoint_loses_on_the_quick_tier(gate, verdict, folders, in_a_hurry, tmp_path, name, preset):
    """All 1,500 cells of pancreas_quick in bfloat16, with two untrained twins: one would have no spread.

    Geneformer reads up to 2,048 genes a cell, scGPT the paper's 1,200 variable ones, 96 of which are in a cell; the
    paper's twins have equal layers, so the checkpoint that must not beat them has, too.
    """
    in_a_hurry(name, preset)
    folder = folders(name) if preset == "official" else make_scgpt(tmp_path / "equal", None, init="identical")
    chosen = ("--datasets=pancreas_quick", "--seeds=2", "-k", "(hvg or random_init) and not batch")
    result = gate(name, f"--weights={folder}", columns=chosen)

    outcomes = judged(result, verdict())
    assert (outcomes["nmi"], outcomes["avg_bio"]) == ("loses",) * 2
    twins = [v for v in verdict()["verdicts"] if v["baseline"] == "random_init"]
    assert sorted(v["metric"] for v in twins) == ["ari", "asw", "avg_bio", "knn_purity", "nmi"]


WIDE = """
def pytest_collection_modifyitems(items):
    for item in items:
        if "within" in getattr(getattr(item, "callspec", None), "params", ()):
            item.callspec.params["within"] = 2.0
"""
PAPER = ("--datasets=pancreas.h5ad", *ISLETS[1:], "--recipe=kedzierska2023", "--offline")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("geneformer_v1_10m", ["geneformer_v1_10m@own rank_correlation", "average_rank rank_correlation"]),
        ("scgpt_human", ["scgpt_human@own mse_gep", "scgpt_human@own mse_gepc", "mean mse_gep"]),
    ],
)
def test_published_numbers_do_not_come_out_of_random_weights(gate, project, verdict, islets, folders, name, published):
    """On a stand-in for the paper's Pancreas every number is compared; a model's are different and break the run."""
    (project.path / "pancreas.h5ad").symlink_to(islets)
    result = gate(name, f"--weights={folders(name)}", "-m", "weights", columns=PAPER)

    assert result.ret == 3
    controls = [control for control in verdict()["controls"] if control["control"] == "published"]
    got = {f"{re.search('of (.*) is', c['sentence'])[1]} {c['metric']}": (c["got"], c["passed"]) for c in controls}
    assert list(got) == published
    assert all(each == ("different", False) for what, each in got.items() if what.startswith(name))


@pytest.mark.slow
def test_published_numbers_that_come_out_exit_0(gate, project, islets, folders):
    """With a tolerance that any correlation meets the run is in order."""
    (project.path / "pancreas.h5ad").symlink_to(islets)
    project.makeconftest(WIDE)
    name = "geneformer_v1_10m"

    assert gate(name, f"--weights={folders(name)}", "-m", "weights", columns=PAPER).ret == 0


@pytest.mark.parametrize(
    "args",
    [
        pytest.param((), id="not asked"),
        pytest.param(("-m", "weights", "--recipe=default"), id="other recipe", marks=pytest.mark.slow),
    ],
)
def test_published_numbers_are_collected_where_they_apply(gate, project, islets, folders, args):
    """Without -m weights, or with another recipe than the paper's, they are not."""
    (project.path / "pancreas.h5ad").symlink_to(islets)
    model = "geneformer_v1_10m"
    result = gate(model, f"--weights={folders(model)}", *args, "--collect-only", "-q", columns=PAPER)

    assert "test_published_numbers.py" not in result.stdout.str()


def test_genes_of_another_organism_are_refused(gate, project, verdict, islets, folders):
    """A vocabulary that knows too few genes is said before anything runs, with what is probably wrong."""
    adata = anndata.read_h5ad(islets)
    adata.var = pd.DataFrame(index=[f"Abc{place}x" for place in range(adata.n_vars)])
    adata.write_h5ad(project.path / "islets.h5ad")
    result = gate("geneformer_v1_10m", f"--weights={folders('geneformer_v1_10m')}", columns=ISLETS)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*geneformer_v1_10m@own on 'islets': only 0 of * genes*look like mouse genes*"])
    assert verdict()["gate"] == "unusable"


def test_a_vocabulary_that_lacks_much_is_said_in_the_header(gate, project, islets, folders):
    """Below 80 % of the counts the first screen of the terminal says so; the run goes on."""
    adata = anndata.read_h5ad(islets)
    strangers = np.zeros(adata.n_vars, dtype=bool)
    strangers[np.argsort(-np.asarray(adata.X.sum(axis=0)).ravel())[::3]] = True
    names = np.where(strangers, [f"ENSG9{place:010d}" for place in range(adata.n_vars)], adata.var_names)
    adata.var_names = names.astype(object)
    adata.write_h5ad(project.path / "islets.h5ad")
    folder = folders("geneformer_v1_10m")
    result = gate("geneformer_v1_10m", f"--weights={folder}", "-k", "no_such_test", columns=ISLETS)

    assert result.ret == 5
    result.stdout.fnmatch_lines(
        ["zsgate: geneformer_v1_10m@own knows * of * genes of islets, with * of a cell's counts*"]
    )


def test_absent_weights_are_refused(gate, project, islets):
    """Without a network each missing file is named, before anything runs."""
    (project.path / "islets.h5ad").symlink_to(islets)
    result = gate("scgpt_human", "--offline", columns=ISLETS)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*scgpt_human: 3 file(s) are not in *", "*best_model.pt from https://*"])


def test_a_family_without_weights_is_refused(gate, project, islets):
    """Which checkpoint is meant is asked for, before anything runs."""
    (project.path / "islets.h5ad").symlink_to(islets)
    result = gate("scgpt", columns=ISLETS)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*scgpt means a checkpoint of your own: name the folder *--weights DIR*scgpt_human*"])


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)])
def test_a_baseline_without_its_package_is_refused(gate, project, verdict, workers):
    """Scvi-tools are asked for before any test runs, where a selected test needs them."""
    project.makeconftest("import sys\n\nsys.modules['scvi'] = None\n")
    result = gate("models:good", "-k", "(scvi or hvg) and asw", *workers)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*the baseline scvi needs *pip install 'zsgate[[]scvi[]]', or -k \"not scvi\"*"])
    assert verdict()["gate"] == "unusable"


@pytest.mark.slow
def test_a_baseline_that_is_not_selected_needs_nothing(gate, project):
    """Without scvi-tools everything else can be judged."""
    project.makeconftest("import sys\n\nsys.modules['scvi'] = None\n")

    assert gate("models:good", "-k", "hvg and asw and not scvi").ret == 0
