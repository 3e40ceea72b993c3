"""Walkthrough: the numbers of one verdict, step by step."""

from __future__ import annotations

from made_records import verdict
from msgspec.structs import replace
from parsed import Page

from zsgate.report.page import walkthrough
from zsgate.report.page.html import render
from zsgate.report.record import Outcome, Record, VarianceRecord


def test_example_uses_real_numbers(record: Record) -> None:
    """'How to read this' explains a verdict of this run with its own numbers; t is that of 19 degrees."""
    text = Page(render(record)).text
    assert "The steps of one verdict of this run, asw against scvi on pancreas_quick" in text
    assert "cellama scores 0.512 and scvi 0.571 by asw" in text
    assert "the 20 donors know as much as 20.0 of one size" in text
    assert "If every donor weighed the same, the difference would be −0.061" in text
    assert "halves of the donors 0.011, jackknife 0.014 (0.011 counts)" in text
    assert "19 degrees of freedom, 1.729, the 90 % interval is −0.059 ± 0.019, from −0.078 to −0.040" in text


def test_example_names_every_part_of_the_error() -> None:
    """Halves, jackknife and seeds as square roots, and which counts; the jackknife alone where nothing is split."""
    parts = VarianceRecord(sample=4e-4, jackknife=1e-4, halves=4e-4, seeds=9e-6)
    made = verdict("d", "scvi", "nmi", variance=parts, df=4.25)
    steps = dict(walkthrough.steps(made))
    assert steps["Interval"].startswith(
        "As square roots: halves of the donors 0.020, jackknife 0.010 (0.020 counts), seeds 0.003 → standard error"
    )
    assert "up to twenty balanced pairs of halves of the donors" in steps["Halves"]
    alone = dict(walkthrough.steps(replace(made, variance=VarianceRecord(sample=1e-4, jackknife=1e-4))))
    assert alone["Interval"].startswith("As square roots: donors 0.010 → standard error")
    assert "Halves" not in alone
    assert "With Student's t for 4.25 degrees of freedom" in steps["Interval"]
    assert "a model that learnt nothing is one of them" not in steps["Chance"]
    twins = dict(walkthrough.steps(verdict("d", "random_init", "nmi", variance=parts)))
    assert "a model that learnt nothing is one of them" in twins["Chance"]


def test_the_clearest_verdict_is_explained() -> None:
    """One of donors before one of cells, one with seeds before one without, a decided one before the others."""
    plain = verdict("d", "hvg", "asw")
    cells = verdict("d", "scvi", "nmi", unit="cells")
    open_ = verdict("d", "random_init", "nmi")
    assert open_.outcome is Outcome.INCONCLUSIVE
    decided = verdict("d", "scvi", "nmi")
    assert walkthrough.chosen([cells, plain, open_, decided]) is decided
    assert walkthrough.chosen([cells, plain]) is plain
    assert walkthrough.chosen([verdict("d", "hvg", "asw", ci=None), verdict("d", "hvg", "asw", paired=False)]) is None


def test_cells_as_units_are_said_to_be() -> None:
    """Where groups of cells are left out, the claim is about these donors only and no donor is weighed."""
    steps = dict(walkthrough.steps(verdict("d", "scvi", "nmi", unit="cells")))
    assert "holds for these donors only" in steps["Unit"]
    assert "Weights" not in steps
    assert "halves of the groups 0.024, jackknife 0.030" in steps["Interval"]
