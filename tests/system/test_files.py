"""Files appear whole or not at all."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from zsgate.system.files import replaced_whole, sha256_of


def write_half_and_fail(path, content):
    with replaced_whole(path) as part:
        part.write_text(content)
        raise RuntimeError("the disk is full")  # noqa: EM101


def copy_and_fail(folder, path):
    with replaced_whole(path) as part:
        shutil.copytree(folder, part)
        raise RuntimeError("the disk is full")  # noqa: EM101


def test_a_file_appears_when_it_is_complete(tmp_path):
    """Until then a reader sees what was there before, and the part has the suffix that writers go by."""
    path = tmp_path / "page.html"
    path.write_text("old")
    with replaced_whole(path) as part:
        part.write_text("new")
        assert (path.read_text(), part.suffix, part.parent) == ("old", ".html", tmp_path)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_what_was_there(tmp_path):
    """Neither the old content nor the folder shows that somebody tried."""
    path = tmp_path / "page.html"
    for before in (None, "old"):
        if before:
            path.write_text(before)
        with pytest.raises(RuntimeError, match="disk is full"):
            write_half_and_fail(path, "new")
        assert [each.read_text() for each in tmp_path.iterdir()] == ([before] if before else [])


def test_a_folder_appears_when_it_is_complete(tmp_path):
    """With all that was written into it, and after an error not at all."""
    with replaced_whole(tmp_path / "counts") as part:
        part.mkdir()
        (part / "data").write_text("1")
        assert not (tmp_path / "counts").exists()
    assert (tmp_path / "counts" / "data").read_text() == "1"
    with pytest.raises(RuntimeError, match="disk is full"):
        copy_and_fail(tmp_path / "counts", tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["counts"]


def test_a_digest_is_that_of_the_bytes(tmp_path):
    """As any other tool computes it."""
    (tmp_path / "x").write_bytes(b"zsgate" * 100_000)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(b"zsgate" * 100_000).hexdigest()
