"""Collection: how the packaged suites are collected, whatever else a repository collects."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from zsgate import suites
from zsgate.baselines import BASELINES, lacking
from zsgate.fixtures import holding, judging, methods, twins
from zsgate.plugin.workers.scheduling import parameters
from zsgate.run.changed.invariances import objection
from zsgate.run.run import Run

FOLDER = Path(suites.__file__).parent
SUITES = sorted(FOLDER.glob("test_*.py"))
NAMES = frozenset(path.name for path in SUITES)
CONTROLS, AGAINST = FOLDER / "test_controls.py", FOLDER / "test_against.py"
INVARIANCES = FOLDER / "test_invariances.py"
DUE = pytest.StashKey[dict[str, None]]()  # node ids of all tests that decide this run, selected or not


class Suite(pytest.Module):
    """A packaged suite, imported as ``zsgate.suites.*`` whether it lies in a wheel or in a checkout."""

    def _getobj(self) -> ModuleType:
        """Return the module with our fixtures in it: a module's own come before those of any conftest."""
        module = import_module(f"{suites.__name__}.{self.path.stem}")
        vars(module).update(methods.FIXTURES | twins.FIXTURES | judging.FIXTURES | holding.FIXTURES)
        return module

    def funcnamefilter(self, name: str) -> bool:
        """Return whether a function is a test, whatever ``python_functions`` says of the repository's own."""
        return name.startswith("test_")

    def classnamefilter(self, name: str) -> bool:
        """Return whether a class is one of tests: none is."""
        return False

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield the tests that make sense for this candidate and these datasets."""
        run = self.config.stash[methods.RUN]
        if self.path == AGAINST and run.reference is None:
            return
        if self.path == INVARIANCES and objection(run.candidate.model):
            return
        for item in super().collect():
            if not run.objection(**asked(item)) and _is_due(item, run):
                item.extra_keyword_matches.add(asked(item)["dataset"])  # for -k: the id has it in ASCII
                decides = self.path == INVARIANCES or asked(item).get("metric") in run.deciding
                if self.path != CONTROLS and decides:
                    self.config.stash.setdefault(DUE, {})[item.nodeid] = None
                yield item


def suite(parent: pytest.Collector | None, path: Path) -> Suite:
    """Return the collector of a suite; its node id is its file name, so that what pytest prints can be pasted."""
    collector: Suite = Suite.from_parent(parent, path=path, nodeid=path.name)
    return collector


def is_of_gate(nodeid: str) -> bool:
    """Return whether a test is one of a packaged suite."""
    return nodeid.partition("::")[0] in NAMES


def asked(item: pytest.Item | pytest.Collector) -> dict[str, str]:
    """Return dataset, baseline and metric of a test, by name, as far as it has them."""
    params: Mapping[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    return {
        key: getattr(value, "name", value) for key, value in params.items() if key in ("dataset", "baseline", "metric")
    }


def _is_due(item: pytest.Item | pytest.Collector, run: Run) -> bool:
    """Return whether a test is no check of published numbers, or one that ``-m weights`` asks for in such a run."""
    mark = item.get_closest_marker("weights")
    if mark is None:
        return True
    wanted = {"model": run.config.model, "dataset": asked(item)["dataset"], "recipe": run.recipe.id}
    return "weights" in item.config.option.markexpr and mark.kwargs == wanted


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
    """Knows all tests of the gate, and brings back the controls of those that are selected.

    Registered after everybody who selects tests, so that nobody leaves the controls out again.
    """

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None]:
        """Put back the controls of what is selected, whatever ``-k``, a node id or ``--lf`` left out."""
        yield
        tests = [asked(item) for item in items if item.getparent(Suite) and item.path not in (CONTROLS, INVARIANCES)]
        if not tests and not any(item.getparent(Suite) for item in items):
            return
        collected = {nodeid.partition("::")[0] for nodeid in config.stash.get(DUE, {})}
        for path in SUITES:  # the tests of a suite that nobody asked for are due all the same
            if path != CONTROLS and path.name not in collected:
                _ = list(suite(session, path).collect())
        there = {item.nodeid for item in items}
        for item in suite(session, CONTROLS).collect():
            if isinstance(item, pytest.Item) and item.nodeid not in there and _concerns(asked(item), tests):
                items.append(item)


class Claims:
    """The hooks that turn suites into tests, on the controller and on every worker.

    Parameters
    ----------
    run
        The run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.datasets = tuple(run.sources)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Register the controls after everybody who selects tests, so that nobody leaves them out again."""
        session.config.pluginmanager.register(Controls())

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> Suite | None:
        """Collect packaged suites under one module name."""
        return suite(parent, module_path) if module_path in SUITES else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Ask every suite's claim of every dataset."""
        collector = metafunc.definition.getparent(Suite)
        if collector is not None and "dataset" in metafunc.fixturenames:
            metafunc.parametrize("dataset", self.datasets, indirect=True, scope="session")
            if collector.path == AGAINST and self.run.reference:
                metafunc.parametrize("baseline", [self.run.reference.name], indirect=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Refuse a run that lacks what a selected baseline needs."""
        if not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
            self._refuse_lacking(item.nodeid for item in session.items if item.getparent(Suite))

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Refuse it on the controller, before any worker starts a test."""
        self._refuse_lacking(ids)

    def _refuse_lacking(self, ids: Iterable[str]) -> None:
        ours = [nodeid for nodeid in ids if not nodeid.startswith(AGAINST.name)]  # a reference may be called anything
        named = {part for nodeid in ours for part in parameters(nodeid, self.datasets)[1].split("-")}
        for problem in filter(None, map(lacking, sorted(named & BASELINES.keys()))):
            msg = f"zsgate: {problem}"
            raise pytest.UsageError(msg)
