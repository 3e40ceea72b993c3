"""What a run judges on: at hand before anything is read, and said before much is downloaded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from webserver import CONTENT

from zsgate.config.config import Config
from zsgate.data.catalogue.cards import CARDS
from zsgate.errors import UsageProblem
from zsgate.run import datasets
from zsgate.run.datasets import chosen, fetch_files, names_of, shelf_of


def test_offline_names_all_that_is_missing_and_the_command(tmp_path):
    """One sentence for all five, with the command that fetches them, and the tier that needs no network."""
    config = Config(model="m", offline=True, cache=tmp_path)
    with pytest.raises(UsageProblem) as refused:
        fetch_files(chosen(config), shelf_of(config))
    for said in ("zsgate data fetch pancreas pbmc_12k pbmc_95k immune tabula_sapiens", "--mirror", "--tier=quick"):
        assert said in str(refused.value)


def test_the_same_cells_have_several_names():
    """Whoever saw the immune cells saw them by donor too, and nothing else."""
    config = Config(model="m")
    assert names_of("immune", config) == names_of("immune_by_donor", config) == {"immune", "immune_by_donor"}
    assert names_of("pbmc_12k", config) == {"pbmc_12k"}


def test_much_to_download_is_announced(tmp_path, place, monkeypatch, capsys):
    """Gigabytes and hours of what is published, and which files' size is not."""
    file, other = (replace(CARDS["immune"].files[0], name=name, url=place.url) for name in ("a.h5ad", "b.h5ad"))
    known = replace(file, n_bytes=len(CONTENT))
    monkeypatch.setitem(CARDS, "immune", replace(CARDS["immune"], files=(known, replace(other, n_bytes=None))))
    monkeypatch.setattr(datasets, "LARGE", 1_000_000)
    config = Config(model="m", datasets=("immune",), cache=tmp_path)
    fetch_files(chosen(config), shelf_of(config))
    said = "zsgate: 0.0 GB of data to download (0.0 hours at 10 MB/s), and b.h5ad of unpublished size"
    assert said in capsys.readouterr().err
    assert (tmp_path / "datasets" / "immune" / "b.h5ad").read_bytes() == CONTENT
