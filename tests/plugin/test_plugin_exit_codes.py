"""Exit codes: 0 passed, 1 did not, 3 broke, 4 unusable, 5 nothing selected."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import anndata
import numpy as np
import pytest

QUICK = ("-k", "hvg and asw")


def test_a_model_that_wins_exits_0(gate, verdict):
    """An embedding of the labels beats HVG, and the record says passed."""
    result = gate("models:good", *QUICK)

    assert result.ret == 0, result.stdout.str()
    assert verdict()["gate"] == "passed"
    assert [each["outcome"] for each in verdict()["verdicts"]] == ["beats"]


def test_a_model_that_loses_exits_1_with_the_sentence(gate, verdict):
    """Noise loses to HVG, and the assertion message is the verdict in one sentence."""
    result = gate("models:bad", "-k", "hvg and nmi")

    assert result.ret == 1
    assert verdict()["gate"] == "lost"
    assert "nothing" not in verdict()["gate"]
    lost = "models:bad (nmi 0.* loses to hvg (0.* on cells: difference -0.*"
    result.stdout.fnmatch_lines([lost, "alone: pytest *--model=models:bad *hvg-nmi*"])


def test_an_inconclusive_verdict_is_not_called_lost(gate, verdict):
    """Five donors cannot speak for new ones: exit 1, gate inconclusive."""
    result = gate("models:good", *QUICK, columns=("--datasets=cells.h5ad", "--label=cell_type", "--donor=sample"))

    assert result.ret == 1
    assert verdict()["gate"] == "inconclusive"
    assert "cannot speak for new ones" in verdict()["verdicts"][0]["reason"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("short", "239 rows for 240 cells"),
        ("not_a_number", "NaN or infinite values for 1 of 240 cells"),
        ("constant", "the same row for all 240 cells"),
        ("reordered", "Rows must be in the order given"),
        ("broken", "RuntimeError: out of memory"),
        ("exits", "SystemExit: 3"),
        ("skips", "Skipped: no GPU here"),
    ],
)
def test_what_a_candidate_gives_wrong_fails_its_tests(gate, verdict, model, words):
    """Unusable output is the candidate's failure: exit 1, named in the record, controls still run."""
    result = gate(f"models:{model}", *QUICK)

    assert result.ret == 1, result.stdout.str()
    assert verdict()["gate"] == "lost"
    assert [each["what"] for each in verdict()["failures"]] == ["candidate"]
    assert words in verdict()["failures"][0]["message"]
    assert verdict()["controls"]


def test_an_interrupt_exits_2(gate, verdict, project):
    """Nothing is claimed, and nobody says that the gate broke."""
    result = gate("models:interrupted", *QUICK)

    assert result.ret == 2
    assert verdict()["gate"] == "interrupted"
    result.stdout.fnmatch_lines(["INTERRUPTED: The run was interrupted, so nothing is claimed about*"])
    assert "INTERRUPTED" in (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")


def test_a_baseline_that_fails_exits_3(gate, verdict, project):
    """A baseline's failure is the gate's, and outranks a loss."""
    project.makeconftest(
        """
        from zsgate.baselines import hvg

        def embed(dataset):
            raise MemoryError("no room")

        hvg.embed = embed
        """
    )
    result = gate("models:bad", "-k", "(hvg or pca) and nmi")

    assert result.ret == 3
    assert verdict()["gate"] == "broke"
    assert "hvg failed on cells: MemoryError: no room" in verdict()["provenance"]["exit_reason"]


def test_a_control_that_fails_exits_3(gate, verdict, project):
    """With a metric that cannot see cell types the oracle does not win, and no verdict counts."""
    project.makeconftest(
        """
        import dataclasses
        from zsgate import metrics

        def blind(embedding, cells, recipe, seeds):
            columns = original(embedding, cells, recipe, seeds)
            return columns * 0 + 0.5

        original = metrics.asw.columns
        object.__setattr__(metrics.asw, "columns", blind)
        """
    )
    result = gate("models:good", *QUICK)

    assert result.ret == 3
    assert verdict()["gate"] == "broke"
    assert "control oracle" in verdict()["provenance"]["exit_reason"]


@pytest.mark.slow
def test_a_dataset_too_poor_to_tell_noise_is_inconclusive(gate, verdict, project):
    """Half of the counts are other cells': the oracle beats HVG, noise is not shown to lose, so nothing counts."""
    adata = anndata.read_h5ad(project.path / "cells.h5ad")
    generator, order = np.random.default_rng(0), np.arange(len(adata))
    half = generator.permutation(len(adata))[: len(adata) // 2]
    order[half] = generator.permutation(half)
    adata.X = adata.X[order]
    (project.path / "cells.h5ad").unlink()
    adata.write_h5ad(project.path / "cells.h5ad")
    result = gate("models:good", "-k", "hvg and nmi", "--junitxml=out.xml")

    assert result.ret == 1, result.stdout.str()
    record = verdict()
    assert record["gate"] == "inconclusive"
    controls = {each["control"]: each for each in record["controls"] if each["baseline"] == "hvg"}
    assert controls["oracle"]["got"] == "beats"
    assert (controls["noise"]["got"], controls["noise"]["too_little"]) == ("inconclusive", True)
    (judged,) = record["verdicts"]
    assert (judged["passed"], judged["outcome"]) == (False, "inconclusive")
    assert judged["ci"][0] > 0
    said = "on cells hvg cannot be told from pure noise by nmi (too few cells or donors, or a baseline without signal)"
    assert said in judged["reason"]
    assert record["provenance"]["exit_reason"].startswith(said)
    assert result.parseoutcomes()["failed"] == 1
    cases = ET.parse(project.path / "out.xml").iter("testcase")
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert failed == ["test_separates_cell_types[cells-hvg-nmi]"]
    page = (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
    assert "too little data to tell" in page
    assert "models:good cannot be told apart from hvg" in page


def test_a_dataset_with_nothing_left_to_beat_is_inconclusive(gate, verdict, project):
    """Markers of a thousand counts: HVG clusters like the labels themselves, which breaks no gate."""
    adata = anndata.read_h5ad(project.path / "cells.h5ad")
    common = adata.obs["cell_type"].map(adata.obs["cell_type"].value_counts()).to_numpy(int) > 20
    adata = adata[common, :1500].copy()  # fewer genes than HVG selects
    markers = np.zeros(adata.shape, dtype=np.float32)
    for place, name in enumerate(np.unique(adata.obs["cell_type"])):
        markers[np.flatnonzero(adata.obs["cell_type"] == name), 20 * place : 20 * (place + 1)] = 1000
    adata.X = np.asarray(markers + adata.X)
    (project.path / "cells.h5ad").unlink()
    adata.write_h5ad(project.path / "cells.h5ad")
    result = gate("models:good", "-k", "hvg and nmi")

    assert result.ret == 1, result.stdout.str()
    (oracle,) = (each for each in verdict()["controls"] if each["control"] == "oracle" and each["baseline"] == "hvg")
    assert (oracle["got"], oracle["too_little"], oracle["passed"]) == ("no room", True, True)
    assert verdict()["gate"] == "inconclusive"
    assert "nothing left to beat" in (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")


def test_controls_are_proved_by_their_own_terms(gate, verdict):
    """A margin no oracle reaches is asked of the model, not of the controls."""
    assert gate("models:good", "--margin=0.9", "-k", "hvg and nmi").ret == 1
    assert verdict()["gate"] == "inconclusive"


def test_nothing_selected_exits_5(gate, verdict):
    """A selection of nothing is no verdict."""
    result = gate("models:good", "-k", "no_such_thing")

    assert result.ret == 5
    assert verdict()["gate"] == "unusable"


@pytest.mark.slow
def test_the_repository_s_own_tests_are_no_verdict(gate, project):
    """A passing test of the user's beside no suite cannot look like a passed gate; a failing one stays 1."""
    project.makepyfile(test_own="def test_passes(): pass")
    assert gate("models:good", "test_own.py").ret == 5

    project.makepyfile(test_own="def test_fails(): assert False")
    assert gate("models:good", "test_own.py", "test_cell_type_clustering.py", *QUICK[:1], "asw and hvg or own").ret == 1


@pytest.mark.slow
def test_stopping_early_is_not_missing_results(gate, verdict):
    """-x after a loss exits 1."""
    result = gate("models:bad", "-x", "-k", "(hvg or pca) and nmi")

    assert result.ret == 1
    assert verdict()["gate"] == "lost"


def test_noise_mixes_batches_best_and_does_not_pass(gate, verdict):
    """A dead model beats HVG on the batch score; below HVG's separation of types that does not count."""
    result = gate("models:bad", "-k", "hvg and batch_score", "--require=batch_score")

    assert result.ret == 1
    (judged,) = verdict()["verdicts"]
    assert judged["outcome"] == "beats"
    assert not judged["passed"]
    assert "it does not count where cell types are separated worse" in judged["reason"]
    assert verdict()["gate"] == "lost"
