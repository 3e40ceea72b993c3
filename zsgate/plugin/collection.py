"""Suite: how the packaged suites are collected, whatever else a repository collects."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from zsgate import suites
from zsgate.fixtures import judging as cast
from zsgate.run.run import Trial

FOLDER = Path(suites.__file__).parent
SUITES = sorted(FOLDER.glob("test_*.py"))
CONTROLS, AGAINST = FOLDER / "test_controls.py", FOLDER / "test_against.py"


class Suite(pytest.Module):
    """A packaged suite, imported as ``zsgate.suites.*`` whether it lies in a wheel or in a checkout."""

    def _getobj(self) -> ModuleType:
        """Return the module with the cast in it: a module's own fixtures come before those of any conftest."""
        module = import_module(f"{suites.__name__}.{self.path.stem}")
        vars(module).update({name: getattr(cast, name) for name in cast.FIXTURES})
        return module

    def funcnamefilter(self, name: str) -> bool:
        """Return whether a function is a test, whatever ``python_functions`` says of the repository's own."""
        return name.startswith("test_")

    def classnamefilter(self, name: str) -> bool:
        """Return whether a class is one of tests: none is."""
        return False

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield the tests that make sense for this candidate and these datasets."""
        trial = self.config.stash[cast.TRIAL]
        if self.path == AGAINST and trial.rival is None:
            return
        for item in super().collect():
            if not trial.objection(**asked(item)) and _is_due(item, trial):
                item.extra_keyword_matches.add(asked(item)["dataset"])  # for -k: the id has it in ASCII
                yield item


def suite(parent: pytest.Collector | None, path: Path) -> Suite:
    """Return the collector of a suite; its node id is its file name, so that what pytest prints can be pasted."""
    collector: Suite = Suite.from_parent(parent, path=path, nodeid=path.name)
    return collector


def asked(item: pytest.Item | pytest.Collector) -> dict[str, str]:
    """Return dataset, baseline and metric of a test, by name, as far as it has them."""
    params: Mapping[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    return {
        key: getattr(value, "name", value) for key, value in params.items() if key in ("dataset", "baseline", "metric")
    }


def _is_due(item: pytest.Item | pytest.Collector, trial: Trial) -> bool:
    """Return whether a test is no check of published numbers, or one that ``-m weights`` asks for in such a run."""
    mark = item.get_closest_marker("weights")
    if mark is None:
        return True
    run = {"model": trial.config.model, "dataset": asked(item)["dataset"], "recipe": trial.recipe.id}
    return "weights" in item.config.option.markexpr and mark.kwargs == run


def _concerns(control: Mapping[str, str], tests: Sequence[Mapping[str, str]]) -> bool:
    """Return whether a control is about the dataset and metric of a selected test, and against nothing costly.

    HVG and PCA are always at hand; a control against another baseline runs if a selected test has that baseline.
    """
    return any(
        control["dataset"] == test["dataset"]
        and control.get("metric", test["metric"]) == test["metric"]
        and control.get("baseline", "pca") in ("hvg", "pca", test.get("baseline"))
        for test in tests
    )


class Controls:
    """Brings back the controls of what is selected."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None]:
        """Put back the controls of what is selected, whatever ``-k``, a node id or ``--lf`` left out."""
        first = next((item for item in items if item.getparent(Suite)), None)
        yield
        chosen = [item for item in items if item.getparent(Suite)]
        if first is None or not chosen:
            return
        collector = first.getparent(Suite)
        assert collector is not None
        tests = [asked(item) for item in chosen if item.path != CONTROLS]
        there = {item.name for item in chosen}
        for item in suite(collector.parent, CONTROLS).collect():
            if isinstance(item, pytest.Item) and item.name not in there and _concerns(asked(item), tests):
                items.append(item)
