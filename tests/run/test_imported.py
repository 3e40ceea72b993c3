"""What comes from another machine is used once this one has embedded some of its cells and found the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zsgate.cli import main
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.metrics import asw
from zsgate.models.adapter import ModelInfo
from zsgate.run import embeddings
from zsgate.run.checks import imported, stability
from zsgate.run.checks.exported import choose
from zsgate.run.checks.shift import shift
from zsgate.run.embeddings import BaselineMaker, Scoring
from zsgate.run.ledger import Ledger
from zsgate.system.store import Store
from zsgate.system.store.entry import Archive
from zsgate.system.store.parcel import pack, unpack
from zsgate.verdict.recipe import DEFAULT

SCORING = Scoring(DEFAULT, clusterings=5)
Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Linear:
    """A model whose rows are expression by fixed weights; another machine's may be a little off."""

    seed: int = 0
    off: float = 0.0
    stochastic: bool = False
    independent: bool = True
    foreign: bool = False
    calls: list[int] = field(default_factory=list, compare=False)

    @property
    def info(self) -> ModelInfo:
        """Return a bare card."""
        return ModelInfo(name="linear", stochastic=self.stochastic, independent_cells=self.independent)

    @property
    def fingerprint(self) -> str:
        """Return what tells the weights apart."""
        return f"linear {self.seed}"

    def embed(self, dataset: Dataset) -> np.ndarray:
        """Return 12 projections of log counts."""
        self.calls.append(dataset.n_cells)
        weights = np.random.default_rng(self.seed).normal(size=(dataset.counts.shape[1], 12))
        rows: np.ndarray = (np.log1p(dataset.counts.toarray()) @ weights).astype(np.float32)
        return rows * np.float32(1 + self.off)

    def random_init(self, seed: int) -> Linear:
        """Return it with weights of that seed."""
        return replace(self, seed=100 + seed)


def ledger_at(place: Path, *, fresh: bool = False) -> Ledger:
    """Return the ledger of a new run with its cache in a folder."""
    return Ledger(Store(place, "a run", fresh), Store(place / "runs" / "x"))


def embedded(model: Linear, dataset: Dataset, ledger: Ledger) -> Any:
    """Return a model's embedding, and what the ledger says of it."""
    return embeddings.of_model("linear", model, dataset, ledger, SCORING), ledger.timings[-1]


def twins(model: Linear, dataset: Dataset, ledger: Ledger) -> Any:
    """Return the embedding of a model's three untrained twins."""
    maker = BaselineMaker.of("random_init", model, {"seeds": 3})
    return embeddings.of_baseline("random_init", maker, dataset, ledger, SCORING)


def carry(here: Path, there: Path, change: Change | None = None) -> None:
    """Export what one cache has and import it into another; a change is made by who knows how entries are sealed."""
    chosen = choose(here)
    for entry in chosen.embeddings if change else ():
        header = entry.header()
        draws, notes = entry.read()[1]
        forged = replace(entry, name=f"embedding/{_digest(header)}", key=header["key"], about=header["about"])
        forged.write(entry.path, "", (tuple(change(np.array(draw)) for draw in draws), notes))
    pack([*chosen.embeddings, *chosen.proofs], here / "x.tar")
    there.mkdir(exist_ok=True)
    unpack(here / "x.tar", there)


def _digest(header: dict[str, Any]) -> str:
    from zsgate.system.store.entry import name_of

    return name_of("embedding", header["key"]).partition("/")[2]


def waiting(place: Path) -> list[str]:
    """Return the files that wait to be proven."""
    return sorted(path.name for path in (place / "imported" / "embedding").iterdir())


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Return the cache folders of two machines."""
    return tmp_path / "here", tmp_path / "there"


def test_a_proven_embedding_is_used(places: tuple[Path, Path], few_cells: Dataset) -> None:
    """Few cells are embedded, the rows are the exporter's, the notes say so, and the next run embeds nothing."""
    here, there = places
    first, _ = embedded(Linear(), few_cells, ledger_at(here))
    carry(here, there)
    model = Linear()
    found, timing = embedded(model, few_cells, ledger_at(there))
    np.testing.assert_array_equal(found.draws[0], first.draws[0])
    assert max(model.calls) <= stability.SHARD < few_cells.n_cells
    assert model.calls[0] == imported.CELLS
    assert timing.cached
    said = "from elsewhere; 16 of 240 cells, drawn by chance, were embedded again and agree"
    assert found.notes["imported"] == timing.notes["imported"] == said
    assert [check["check"] for check in found.notes["checks"]][-1] == "on the machine it was imported from"
    assert waiting(there) == []
    again = Linear()
    assert embedded(again, few_cells, ledger_at(there))[1].cached
    assert again.calls == []


def test_twins_are_proven_seed_by_seed(places: tuple[Path, Path], few_cells: Dataset) -> None:
    """The untrained twins of a model, each of which embeds few cells; notes are made anew."""
    here, there = places
    first = twins(Linear(), few_cells, ledger_at(here))
    carry(here, there)
    model = Linear()
    found = twins(model, few_cells, ledger_at(there))
    assert model.calls == [16, 16, 16]
    np.testing.assert_array_equal(found.draws, first.draws)
    assert found.notes["seeds"] == [0, 1, 2]
    assert "imported" in found.notes


FORGED: dict[str, Change] = {
    "noise": lambda rows: np.random.default_rng(1).normal(size=rows.shape).astype(np.float32),
    "in another order": lambda rows: rows[::-1].copy(),
    "fewer cells": lambda rows: rows[:-1],
    "fewer dimensions": lambda rows: rows[:, :-1].copy(),
    "not a number": lambda rows: np.where(np.arange(len(rows))[:, None] == 7, np.nan, rows).astype(np.float32),
    "text": lambda rows: rows.astype(str),
    "a scale": lambda rows: 1.5 * rows,
    "a vast spread": lambda rows: rows + 1e6 * np.arange(len(rows), dtype=np.float32)[:, None],
}


@pytest.mark.parametrize("how", FORGED)
@pytest.mark.parametrize("make", [embedded, twins])
def test_a_forged_embedding_is_not_used(
    places: tuple[Path, Path], few_cells: Dataset, how: str, make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sealed as it should be and not the model's: said in one sentence, removed, and computed."""
    here, there = places
    first = make(Linear(), few_cells, ledger_at(here))
    carry(here, there, FORGED[how])
    found = make(Linear(), few_cells, ledger_at(there))
    first, found = (each[0] if isinstance(each, tuple) else each for each in (first, found))
    np.testing.assert_array_equal(found.draws, first.draws)
    assert "imported" not in found.notes
    (line,) = capsys.readouterr().err.splitlines()
    who = "linear" if make is embedded else "random_init"
    assert line.startswith(f"zsgate: the imported embedding of few_cells by {who} is not used, and is removed: ")
    assert waiting(there) == []


def test_one_false_row_is_seen_if_it_is_drawn(
    places: tuple[Path, Path], few_cells: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cells drawn, one false row is found; and which cells are drawn is another matter each time."""
    here, there = places
    embedded(Linear(), few_cells, ledger_at(here))

    def one(rows: np.ndarray) -> np.ndarray:
        rows[123] = rows[5]
        return rows

    carry(here, there, one)
    monkeypatch.setattr(imported, "CELLS", few_cells.n_cells)
    found, _ = embedded(Linear(), few_cells, ledger_at(there))
    assert "imported" not in found.notes
    assert len({tuple(imported._chance().choice(240, 16, replace=False)) for _ in range(5)}) == 5


def test_what_rounding_moves_is_carried_into_the_verdict(places: tuple[Path, Path], few_cells: Dataset) -> None:
    """Rows that are off by a thousandth are the model's, and count as rows that move."""
    here, there = places
    embedded(Linear(), few_cells, ledger_at(here))
    carry(here, there)
    found, _ = embedded(Linear(off=1e-3), few_cells, ledger_at(there))
    assert "imported" in found.notes
    *checks, last = found.notes["checks"]
    assert last["typical"] > 0
    assert shift(asw, found, few_cells) > 0
    steady = replace(found, notes={**found.notes, "checks": [each for each in checks if each["moved"] == 0]})
    assert shift(asw, steady, few_cells) == 0


def test_twins_must_have_the_same_rows(places: tuple[Path, Path], few_cells: Dataset) -> None:
    """No score allows for twins whose rows move, so those that are off by a thousandth are made here."""
    here, there = places
    twins(Linear(), few_cells, ledger_at(here))
    carry(here, there)
    assert "imported" not in twins(Linear(off=1e-3), few_cells, ledger_at(there)).notes
    carry(here, there / "another")
    assert "imported" in twins(Linear(off=1e-6), few_cells, ledger_at(there / "another")).notes


@pytest.mark.parametrize("form", [np.float64, "fortran"])
def test_rows_have_the_form_of_any_embedding(places: tuple[Path, Path], few_cells: Dataset, form: Any) -> None:
    """Other types and orders of the right numbers are made float32, row by row."""
    here, there = places
    embedded(Linear(), few_cells, ledger_at(here))
    carry(here, there, np.asfortranarray if form == "fortran" else lambda rows: rows.astype(form))
    found, _ = embedded(Linear(), few_cells, ledger_at(there))
    assert "imported" in found.notes
    assert (found.draws[0].dtype, found.draws[0].flags.c_contiguous) == (np.float32, True)


FALSE_PROOFS: list[list[np.ndarray]] = [
    [],
    [np.array(["text"])],
    [np.ones((3, 3), np.float32)],
    [np.full((16, 12), np.nan, np.float32)],
    [np.zeros((16, 12), np.float32)],
]


@pytest.mark.parametrize("arrays", FALSE_PROOFS)
def test_a_false_proof_is_passed_over(places: tuple[Path, Path], few_cells: Dataset, arrays: list[np.ndarray]) -> None:
    """Whatever is imported as a model's rows of few cells, it is called after its own rows."""
    here, there = places
    model = Linear(foreign=True)
    embedded(model, few_cells, ledger_at(here))
    assert not (here / "imported").exists()
    key = {"fingerprint": model.fingerprint, "dataset": few_cells.digest, "number": 0}
    Store(there / "imported").arrays("proof", key, lambda: (arrays, {}))
    embedded(model, few_cells, ledger_at(there))

    def name(place: Path) -> list[str]:
        return [path.name for path in (place / "embedding").iterdir()]

    assert name(here) == name(there)


def test_a_fresh_run_takes_nothing_from_elsewhere(places: tuple[Path, Path], few_cells: Dataset) -> None:
    """It reads what it made itself."""
    here, there = places
    embedded(Linear(), few_cells, ledger_at(here))
    carry(here, there)
    model = Linear()
    found, timing = embedded(model, few_cells, ledger_at(there, fresh=True))
    assert model.calls[0] == few_cells.n_cells
    assert (timing.cached, "imported" in found.notes, len(waiting(there))) == (False, False, 1)


def test_a_damaged_one_is_made_here(places: tuple[Path, Path], few_cells: Dataset) -> None:
    """As any entry is."""
    here, there = places
    embedded(Linear(), few_cells, ledger_at(here))
    carry(here, there)
    (path,) = (there / "imported" / "embedding").glob("*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    model = Linear()
    assert not embedded(model, few_cells, ledger_at(there))[1].cached
    assert model.calls[0] == few_cells.n_cells


def test_a_model_of_one_s_own_is_called_after_rows_from_elsewhere(
    places: tuple[Path, Path], few_cells: Dataset
) -> None:
    """Its key holds rows of few cells: the exporter's serve if its own are the same but for rounding."""
    here, there = places
    embedded(Linear(foreign=True), few_cells, ledger_at(here))
    carry(here, there)
    model = Linear(foreign=True, off=1e-6)
    found, timing = embedded(model, few_cells, ledger_at(there))
    assert timing.cached
    assert "imported" in found.notes
    assert max(model.calls) <= stability.SHARD
    other = Linear(foreign=True, off=0.01)  # the same fingerprint, other rows: nothing is taken for its own
    assert not embedded(other, few_cells, ledger_at(places[1] / "another"))[1].cached
    carry(here, there / "another")
    assert not embedded(other, few_cells, ledger_at(there / "another", fresh=False))[1].notes.get("imported")


def test_what_few_cells_cannot_prove_is_left_out(
    places: tuple[Path, Path], few_cells: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """Models that draw chance or look across cells, and baselines that learn; the command says which and why."""
    here, _ = places
    ledger = ledger_at(here)
    embeddings.of_model("steady", Linear(), few_cells, ledger, SCORING)
    embeddings.of_model("chancy", Linear(seed=1, stochastic=True), few_cells, ledger, SCORING)
    embeddings.of_model("across", Linear(seed=2, independent=False), few_cells, ledger, SCORING)
    maker = BaselineMaker.of("pca", Linear(), {"on": "counts"})
    embeddings.of_baseline("pca", maker, few_cells, ledger, SCORING)
    ledger.lasting.arrays("embedding", {"who": "perturbed", "dataset": "x"}, lambda: ([np.ones((3, 2))], {}))
    (here / "embedding" / f"{'0' * 40}.npz").write_bytes(b"x")
    assert main(["cache", "export", str(here / "x.tar"), "--cache", str(here)]) == 0
    *left_out, done = capsys.readouterr().out.splitlines()
    assert done.startswith(f"{here}/x.tar: 1 embedding, ")
    assert len(left_out) == 5
    assert all(line.startswith("1 left out: ") for line in left_out)
    assert any("looks across cells" in line for line in left_out)
    assert main(["cache", "export", str(here / "y.tar"), "--cache", str(here), "--model", "chancy"]) == 4
    assert "y.tar is not written" in capsys.readouterr().err
    assert not (here / "y.tar").exists()


def test_models_and_datasets_are_chosen_by_name(places: tuple[Path, Path], few_cells: Dataset) -> None:
    """Twins go with their model; a name of nothing is refused with the nearest."""
    here, _ = places
    ledger, other = ledger_at(here), few_cells.subset(np.arange(100), name="others")
    embedded(Linear(), few_cells, ledger)
    twins(Linear(), few_cells, ledger)
    embeddings.of_model("second", Linear(seed=5), few_cells, ledger, SCORING)
    embeddings.of_model("second", Linear(seed=5), other, ledger, SCORING)

    def names(**chosen: Any) -> list[tuple[str, str]]:
        headers = [entry.header() for entry in choose(here, **chosen).embeddings]
        return sorted((header["key"]["who"], header["about"]["dataset"]) for header in headers)

    assert len(names()) == 4
    assert names(models=["linear"]) == [("linear", "few_cells"), ("random_init", "few_cells")]
    assert names(models=["second"], datasets=["others"]) == [("second", "others")]
    with pytest.raises(UsageProblem, match=r"no embedding is kept of this model: .*did you mean 'linear'"):
        choose(here, ["lineal"])
    with pytest.raises(UsageProblem, match=r"no embedding is kept of this dataset: .*did you mean 'others'"):
        choose(here, (), ["other"])


def test_the_commands_carry_an_embedding(
    places: tuple[Path, Path], few_cells: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """Export and import as typed; verify knows what waits."""
    here, there = places
    embedded(Linear(), few_cells, ledger_at(here))
    assert main(["cache", "export", str(here / "x.tar"), "--cache", str(here), "--dataset", "few_cells"]) == 0
    assert main(["cache", "import", str(here / "x.tar"), "--cache", str(there)]) == 0
    assert "1 embedding, to be used once a run has embedded some of the cells itself" in capsys.readouterr().out
    assert main(["cache", "verify", "--cache", str(there)]) == 0
    assert "imports          1 checked" in capsys.readouterr().out
    assert isinstance(choose(here).embeddings[0], Archive)
