"""Pictures of a dataset: dots of UMAPs drawn once and coloured twice, and types by clusters."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest
from made_records import DATASET, judged, sample, verdict
from msgspec.structs import replace
from parsed import Page

from zsgate.report.page import confusion, maps
from zsgate.report.page.html import render
from zsgate.report.record import MapRecord, MetricRecord, Record, ScoreRecord
from zsgate.report.record.maps import numbers, packed

TYPES = tuple((f"type {place}", 10 + place) for place in range(14))
CELLS = replace(DATASET, cell_types=TYPES)


def drawn(n_cells: int, methods: tuple[str, ...] = ("m", "hvg"), dataset: str = DATASET.name) -> MapRecord:
    """Return a record of random dots."""
    rng = np.random.default_rng(0)

    def field(values: np.ndarray) -> str:
        return packed(values.astype("<u2").tobytes())

    return MapRecord(
        dataset=dataset,
        n_cells=n_cells,
        methods=tuple((name, field(rng.integers(0, 1000, 2 * n_cells))) for name in methods),
        cell_types=field(rng.integers(0, len(TYPES), n_cells)),
        batches=field(rng.integers(0, 3, n_cells)),
        batch_names=("a", "b", "c"),
    )


def dots(path: str) -> list[tuple[int, int]]:
    """Return where the dots of a path lie."""
    at, found = (0, 0), []
    for right, below in re.findall(r"m(-?\d+) ?(-?\d+)h0", path):
        at = at[0] + int(right), at[1] + int(below)
        found.append(at)
    return found


def test_every_cell_is_a_dot_of_its_colours() -> None:
    """Where the record has it, once a method, coloured by type and by batch; a type beyond the twelfth begins again."""
    record = drawn(300)
    found = maps.of_dataset([record], CELLS, record.dataset)
    assert found is not None
    types, batches = numbers(record.cell_types), numbers(record.batches)
    for shown, (method, text) in zip(found.maps, record.methods, strict=True):
        places = np.reshape(numbers(text), (-1, 2)).tolist()
        wanted = sorted((one % 12, two, *at) for one, two, at in zip(types, batches, places, strict=True))
        assert shown.method == method
        assert sorted((e.type_colour, e.batch_colour, *at) for e in shown.layers for at in dots(e.path)) == wanted
    assert found.types[13] == ("type 13", 1)


def test_many_maps_stay_within_a_page() -> None:
    """Five datasets by eight methods: cells are left out evenly, all below 1.5 MB."""
    records = [drawn(4000, tuple(f"m{n}" for n in range(8)), dataset=f"d{each}") for each in range(5)]
    found = [maps.of_dataset(records, replace(CELLS, name=each.dataset), each.dataset) for each in records]
    assert all(each is not None and each.n_cells >= 2000 for each in found)
    size = sum(len(layer.path) + 60 for each in found if each for shown in each.maps for layer in shown.layers)
    assert size < 1_500_000


def test_the_page_shows_pictures_or_why_there_are_none(record: Record) -> None:
    """A figure a method and way of colouring; a sentence where something lacks; nothing where nothing was asked."""
    made = replace(record, datasets=(CELLS,), maps=(drawn(60),))
    page = Page(render(made))
    assert page.tags.count("figure") == 4
    assert "UMAPs of 60 cells" in page.text
    assert len(set(page.ids)) == len(page.ids)
    assert (
        "need umap-learn"
        in Page(render(replace(record, maps=(MapRecord(dataset=CELLS.name, why="need umap-learn"),)))).text
    )
    assert "UMAP" not in Page(render(record)).text


@pytest.mark.parametrize("text", ["?", "AAA=", packed(struct.pack("<3H", 1, 2, 3)), "é"])
def test_positions_that_cannot_be_read_are_a_sentence(text: str) -> None:
    """A file that somebody wrote breaks no page."""
    broken = replace(drawn(60), methods=(("m", text),))
    assert maps.of_dataset([broken], CELLS, broken.dataset) == maps.Maps(
        why="the positions in verdict.json cannot be read"
    )


def test_clusters_stand_by_their_largest_type_and_small_ones_together() -> None:
    """Nothing is lost: rows sum to the cells of the types; a table of other types is not shown."""
    found = ((0, 5, 200), (180, 3, 0), (0, 1, 1), (1, 150, 0))
    card = replace(DATASET, cell_types=(("a", 181), ("b", 159), ("c", 201)))
    score = ScoreRecord(dataset=card.name, metric="nmi", value=0.5, draws=(0.5,), confusion=found)
    table = confusion.table([score], card)
    assert table is not None
    assert table.clusters == [("1", 183), ("2", 151), ("3", 205), ("1 small", 2)]
    assert [[n for n, _ in row.cells] for row in table.rows] == [[180, 1, 0, 0], [3, 150, 5, 1], [0, 0, 200, 1]]
    assert table.rows[0].cells[0][1] == 180 / 181
    assert confusion.table([score], replace(card, cell_types=(("a", 1),))) is None
    text = Page(render(replace(sample(), datasets=(card,), scores=(score,)))).text
    assert "Which types share a cluster: cellama's 4 clusters" in text


def test_a_full_page_stays_small_and_begins_with_all_datasets_at_a_glance() -> None:
    """Five datasets, six baselines, fifteen metrics, eight UMAPs each of 4,000 cells: below 5 MB."""
    claims = {"cell types": [f"t{n}" for n in range(9)], "batches": [f"b{n}" for n in range(4)], "genes": ["g0", "g1"]}
    metrics = tuple(MetricRecord(name=name, claim=claim) for claim, names in claims.items() for name in names)
    datasets, baselines = [f"d{n}" for n in range(5)], [f"baseline_{n}" for n in range(6)]
    verdicts = [
        verdict(dataset, baseline, metric.name, advisory=metric.claim == "genes")
        for dataset in datasets
        for metric in metrics
        for baseline in baselines
    ]
    made = replace(
        judged(sample(), verdicts),
        metrics=metrics,
        datasets=tuple(replace(CELLS, name=name) for name in datasets),
        maps=tuple(drawn(4000, ("m", *baselines, "twin"), dataset=name) for name in datasets),
    )
    text = render(made)
    assert len(text.encode()) < 5_000_000
    first = Page(text).text.partition("Tests that decide, passed of all")[2]
    passed = sum(each.passed for each in verdicts if each.dataset == "d0" and each.metric.startswith("t"))
    assert f"dataset cell types batches genes d0 {passed} of 54" in first
    assert "advisory d1" in first
