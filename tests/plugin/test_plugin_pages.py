"""Every block of the documents is executed: a page is followed from top to bottom in a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import PAGES, ROOT, Block, Folder, blocks

from zsgate.config.config import Config
from zsgate.models import MODELS

# what no test executes: page and how the line begins, and why
NOT_RUN = {
    ("README.md", "make demo"): ".ci/run and whoever installs it do: an installation of its own",
    ("README.md", "make test"): ".ci/run does",
    ("README.md", "pip install"): "network; the package that it installs is held by tests/test_packaging.py",
    ("docs/index.md", "pip install"): "network, as the README's",
    ("docs/howto/cluster.md", "pip install"): "network, as the README's",
    ("docs/howto/cluster.md", "pytest --model=my_pkg.gate:MyModel"): "a cluster; test_plugin_cluster.py starts one",
    ("docs/howto/gpu.md", "pytest --model=my_pkg.gate:MyModel --gpu"): "GPU; tests marked gpu run --gpu",
    ("docs/howto/weights.md", "pytest --model=scgpt --weights"): "published weights, a gigabyte of a hub",
    ("docs/reference/models.md", "pytest --model=scgpt_human --weights"): "published weights and data of a hub",
    ("docs/howto/compare.md", "pytest --model=my_pkg.gate:MyModel --against"): "published weights of a hub",
    ("docs/howto/air_gapped.md", "zsgate data fetch full"): "network, gigabytes; tests/cli fetches from a server",
    ("docs/howto/air_gapped.md", "zsgate data mirror"): "network, gigabytes; tests/cli mirrors from a server",
    ("docs/howto/air_gapped.md", "pytest --model=my_pkg.gate:MyModel --tier=pr"): "the mirror of the line above",
}
# what takes long, or has a test of its own in test_plugin_docs.py: a slow run executes it
LONG = {
    ("README.md", "pytest --model=cellama --tier=quick"),
    ("README.md", "pytest --model=my_pkg.gate:MyModel -k"),
    ("README.md", "pytest --model=my_pkg.gate:MyModel -n 2"),
    ("CONTRIBUTING.md", "python -m pytest test_lengths.py"),
    ("docs/index.md", "pytest --model=cellama --tier=quick"),
    ("docs/worker.md", "pytest --model=mine"),
    ("docs/howto/air_gapped.md", "pytest --model=hvg"),
    ("docs/howto/baselines.md", "pytest --model=pca --tier=quick"),
    ("docs/howto/cache.md", "pytest --model=cellama"),
    ("docs/howto/cache.md", "zsgate cache export"),
    ("docs/howto/cache.md", "zsgate cache import"),
    ("docs/howto/cluster.md", "pytest --model=pca"),
    ("docs/howto/compare.md", "pytest --model=hvg --report=old"),
    ("docs/howto/compare.md", "pytest --model=pca --against"),
    ("docs/howto/compare.md", "pytest --model=pca --recipe=kedzierska2023"),
    ("docs/howto/leakage.md", "zsgate leakage check corpus.bloom pancreas_quick"),
    ("docs/howto/leakage.md", "pytest --model=my_pkg.gate:MyModel --leakage=fail"),
    ("docs/howto/page.md", "pytest --model=pca"),
    ("docs/howto/reconstruction.md", "pytest --model=my_pkg.half:HalfRight"),
    ("docs/howto/long_runs.md", "pytest --model=pca"),
    ("docs/howto/waivers.md", "pytest --model=scvi --plan"),
    ("docs/howto/waivers.md", "pytest --model=pca -k"),
    ("docs/tutorials/ci.md", "pytest --model=hvg"),
    ("docs/tutorials/own_data.md", "pytest --model=pca"),
    ("docs/tutorials/own_data.md", "pytest --model=embeddings/"),
    ("docs/tutorials/ci.md", "zsgate"),
    ("docs/tutorials/notebook.md", "python"),
    ("docs/tutorials/own_data.md", "zsgate data check"),
    ("docs/tutorials/own_data.md", "pytest --model=pca -k"),
    ("docs/tutorials/own_data.md", "pytest --model=embeddings/"),
    ("docs/tutorials/own_model.md", "python -m pytest test_contract.py"),
    ("docs/tutorials/own_model.md", "pytest --model=my_pkg.gate:MyModel --tier=quick --plan"),
    ("docs/tutorials/own_model.md", "pytest --model=my_pkg.gate:MyModel --tier=quick -k"),
    ("docs/tutorials/own_model.md", "pytest --model=my_pkg.gate:MyModel --tier=quick   "),
    ("docs/tutorials/own_model.md", "pytest --model=my_pkg.gate:MyModel -k"),
}
TODAY = {"2027-06-30": str(date.today() + timedelta(days=30))}  # a waiver's day that will have passed


def entry(table: object, page: str, line: str) -> tuple[str, str] | None:
    """Return the entry of a table that a line of a page is."""
    return next((each for each in table if each[0] == page and line.startswith(each[1])), None)


def follow(page: str, folder: Folder, lab: Path, *, whole: bool) -> None:
    """Write the files of a page and run its commands and scripts, in order."""
    (folder.path / "lab.h5ad").symlink_to(lab)  # "a file of yours"
    for is_script, several in groupby(blocks(page), key=lambda block: block.language == "python" and not block.file):
        if is_script:  # blocks that follow one another are cells of one notebook
            if whole or (page, "python") not in LONG:
                folder.run("python -", "".join(block.text for block in several))
            continue
        for block in several:
            do(page, block, folder, whole=whole)


def do(page: str, block: Block, folder: Folder, *, whole: bool) -> None:
    """Write the file that a block is, or run its commands."""
    for written, now in TODAY.items():
        block = Block(block.language, block.text.replace(written, now), block.file)
    if block.file:
        folder.write(block)
        read(block, folder)
    elif block.language != "text":
        assert block.language == "bash", f"{page}: a {block.language} block needs the name of its file above it"
        for line in block.commands:
            if not entry(NOT_RUN, page, line) and (whole or not entry(LONG, page, line)):
                folder.run(line)


def read(block: Block, folder: Folder) -> None:
    """Have zsgate read the settings of a page, and YAML what is YAML."""
    if block.file == "pyproject.toml":
        Config.gather({"model": "hvg"}, {}, folder.path, models=MODELS)
    if block.language == "yaml":
        assert yaml.safe_load(block.text)["jobs"]
    if block.language == "python":
        compile(block.text, block.file, "exec")


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one store for all pages."""
    return tmp_path_factory.mktemp("kept")


@pytest.mark.parametrize("page", [page for page in PAGES if any(each.language for each in blocks(page))])
def test_a_page_does_what_it_says(page, tmp_path, cells_file, kept):
    """Files are written, scripts and commands run, and each leaves with what the page says."""
    path = tmp_path / "page"
    path.mkdir()
    follow(page, Folder(path, kept), cells_file, whole=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({page for page, _ in LONG}))
def test_a_page_does_what_takes_long(page, tmp_path, cells_file, kept):
    """Nothing is left out but what needs a GPU, a hub or a network."""
    path = tmp_path / "page"
    path.mkdir()
    follow(page, Folder(path, kept), cells_file, whole=True)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_its_language(page):
    """A fence without one would be passed over."""
    assert {each.language for each in blocks(page)} <= {"bash", "python", "toml", "yaml", "text"}


def test_what_is_not_run_is_there():
    """An entry of the tables that no page has any more is gone."""
    lines = [(page, line) for page in PAGES for block in blocks(page) for line in block.commands]
    for page, begins in (*NOT_RUN, *LONG):
        assert begins == "python" or any(each == page and line.startswith(begins) for each, line in lines), begins


def jobs_of_documents() -> Iterator[dict[str, Any]]:
    """Yield the jobs of the workflows that pages show."""
    for page in PAGES:
        for block in blocks(page):
            if block.language == "yaml":
                yield from yaml.safe_load(block.text)["jobs"].values()


def test_workflows_type_what_exists():
    """The commands of the documents' workflows have options that exist, and no text of a request in them."""
    from test_plugin_docs import known_options

    runs = [step["run"] for job in jobs_of_documents() for step in job.get("steps", ()) if "run" in step]
    assert set(re.findall(r"--([a-z][a-z-]*)", " ".join(runs))) <= known_options() | {"junitxml"}
    assert "${{" not in " ".join(runs)


def test_workflows_give_what_ours_take():
    """The reusable workflow and the action of this repository have the inputs that the documents give them."""
    given = [each for job in jobs_of_documents() for each in (job, *job.get("steps", ())) if "uses" in each]
    ours = [each for each in given if each["uses"].startswith("zsgate/zsgate")]
    assert len(ours) >= 3
    for each in ours:
        place = each["uses"].partition("@")[0].removeprefix("zsgate/zsgate").strip("/")
        said = yaml.safe_load((ROOT / (place or "action.yml")).read_text(encoding="utf-8"))
        inputs = (said[True]["workflow_call"] if place else said)["inputs"]  # YAML 1.1 reads `on` as true
        needed = {name for name, about in inputs.items() if about.get("required")}
        assert needed <= set(each["with"]) <= set(inputs)


@pytest.mark.parametrize("page", PAGES)
def test_a_block_of_text_hides_no_command(page):
    """Text is what a program says, or a drawing."""
    for block in blocks(page):
        assert block.language != "text" or not re.search(r"(?m)^(\$|pytest|zsgate|pip|python|make)\b", block.text)
