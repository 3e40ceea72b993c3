"""Model files from the network: found, fetched, recorded, refused; against a real server on this machine."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import pytest
from webserver import CONTENT, DIGEST, Place

from zsgate.errors import UsageProblem
from zsgate.models.pretrained.checkpoint import WeightFile
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.weights import find_files


def test_an_unpublished_digest_is_recorded_and_may_not_change(place: Place, tmp_path: Path) -> None:
    """A file no source states a digest for is marked, its first digest kept, and a later change refused."""
    checkpoint = replace(CHECKPOINTS["scgpt_blood"], files=(WeightFile(name="best_model.pt", url=place.url),))
    found = find_files(checkpoint, None, tmp_path, offline=False)["best_model.pt"]
    assert (found.status, found.sha256) == ("unpublished", DIGEST)
    assert find_files(checkpoint, None, tmp_path, offline=True)["best_model.pt"] == found
    found.path.write_bytes(CONTENT + b"!")
    with pytest.raises(UsageProblem, match="has changed since it was first seen"):
        find_files(checkpoint, None, tmp_path, offline=True)


def test_a_note_that_cannot_be_written_is_not_left_half_written(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the next run does not find a digest that nobody saw."""
    checkpoint = replace(CHECKPOINTS["scgpt_blood"], files=(WeightFile(name="best_model.pt", url=None),))
    home = tmp_path / "weights" / checkpoint.name
    home.mkdir(parents=True)
    (home / "best_model.pt").write_bytes(CONTENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            find_files(checkpoint, None, tmp_path, offline=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert find_files(checkpoint, None, tmp_path, offline=True)["best_model.pt"].status == "unpublished"


def test_an_altered_file_in_the_cache_is_refused(place: Place, tmp_path: Path) -> None:
    """A cached file with a published digest must still have it."""
    file = WeightFile(name="best_model.pt", url=place.url, sha256=DIGEST)
    checkpoint = replace(CHECKPOINTS["scgpt_human"], files=(file,))
    path = find_files(checkpoint, None, tmp_path, offline=False)["best_model.pt"].path
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(UsageProblem, match="truncated or altered"):
        find_files(checkpoint, None, tmp_path, offline=True)
