"""Reconstruction on the page: the table beside the floor, what is said of it, and the plots."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import empty, sample
from msgspec.structs import replace

from zsgate.report.page import reconstruction
from zsgate.report.page.html import render
from zsgate.report.record import DensityRecord, FiguresRecord, GeneErrors, ReconstructionRecord

COUNTS = np.diag(np.arange(40) % 7)
GENES = GeneErrors(mean=(10.0, 20.0, 30.0), errors={"gep": (200.0, 220.0, 150.0), "gene_mean": (180.0,) * 3})


def grid(counts: Any, high: float = 40.0) -> DensityRecord:
    """Return a density."""
    return DensityRecord(low=0.0, high=high, counts=tuple(map(tuple, np.asarray(counts).tolist())))


ENTRY = ReconstructionRecord(
    dataset="islets",
    scale="bin",
    masked=0.15,
    heads=("gep",),
    groups="donor",
    values={"mse_gep": {"candidate": 190.0, "mean": 206.0, "gene_mean": 180.0, "identity_copy": 860.0}},
    noise_floor=160.0,
    copied={"gep": 0.4, "identity_copy": 0.0},
    figures=FiguresRecord(densities={"gep": grid(COUNTS)}, genes=GENES),
)


def block(*entries: ReconstructionRecord, dataset: str = "islets") -> reconstruction.Block | None:
    """Return what the page shows of entries."""
    return reconstruction.block(replace(empty(), reconstruction=entries), dataset)


def remarks(**changes: Any) -> list[str]:
    """Return what the table remarks on each row of the entry, changed."""
    found = block(replace(ENTRY, **changes))
    assert found is not None
    return [row.remark for row in found.rows]


def test_the_floor_says_what_is_left_to_win() -> None:
    """On hidden genes what the best average leaves above the floor can be won, and no more."""
    assert remarks() == ["of the averages' 180.0 at most 20.000 can be won; the rest is the floor"]
    assert remarks(noise_floor=178.0) == ["the averages are at the floor: there is nothing to win"]
    assert remarks(masked=0.0) == ["a model shown the drawn bins can go below the floor"]
    assert remarks(noise_floor=float("nan")) == [""]


def test_a_copy_is_told() -> None:
    """A head whose error on shown genes is next to nothing is said to copy."""
    assert remarks(copied={"gep": 0.0}, noise_floor=None) == ["returns what it is shown"]


def test_a_density_has_every_cell_once() -> None:
    """The shades' runs cover just the cells that have points, the fullest ones darkest; the diagonal runs up."""
    (plot, genes) = reconstruction.plots(ENTRY)
    runs = [run for _, _, path in plot.layers for run in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)", path)]
    assert len(runs) == np.count_nonzero(COUNTS)
    for x, y, width in runs:
        assert float(x) + float(y) == pytest.approx(reconstruction.BOX - 5)
        assert float(width) == 5
    assert max(opacity for _, opacity, _ in plot.layers) == 1
    assert [label for _, label in plot.x_ticks] == ["0", "10", "20", "30", "40"]
    assert [len(re.findall("h0", path)) for _, _, path in genes.layers] == [3, 3]


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), min_size=3, max_size=3))
def test_any_density_is_drawn(counts: list[list[int]]) -> None:
    """Whatever the counts, the fullest cell has the darkest shade and an empty cell has none."""
    figures = FiguresRecord(densities={"gep": grid(counts, 1.0)})
    (plot,) = reconstruction.plots(replace(ENTRY, figures=figures))
    assert bool(plot.layers) == any(map(any, counts))
    assert max((opacity for _, opacity, _ in plot.layers), default=1) == 1


def test_the_page_shows_table_and_plots_and_stays_light() -> None:
    """The block is under its dataset; forty by forty cells and a thousand genes take less than 100 kB."""
    record = sample()
    many = np.random.default_rng(1).random((3, 1000)).round(3).tolist()
    figures = FiguresRecord(
        densities={"gep": grid(np.random.default_rng(0).poisson(9, (40, 40)), 51.0)},
        genes=GeneErrors(mean=tuple(many[0]), errors={"gep": tuple(many[1]), "gene_mean": tuple(many[2])}),
    )
    bare = render(record)
    entry = replace(ENTRY, dataset=record.verdicts[0].dataset, figures=figures)
    page = render(replace(record, reconstruction=(entry,)))
    assert "<h3>Reconstruction</h3>" in page
    assert "noise floor" in page
    assert page.count('role="img"') - bare.count('role="img"') == 2
    assert len(page) - len(bare) < 100_000


def test_an_empty_figure_is_left_out() -> None:
    """Hidden tokens have no plot, and a dataset without reconstruction has no block."""
    bare = replace(ENTRY, scale="rank", figures=FiguresRecord())
    found = block(bare)
    assert found is not None
    assert found.figures == []
    assert block(bare, dataset="others") is None
