"""Files appear whole or not at all, sealed, locked, and nobody else's to write to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat

import pytest

from zsgate.errors import MachineFailed
from zsgate.system.files import (
    locked,
    make_folder,
    open_sealed,
    others_who_write,
    replaced_whole,
    seal,
    sha256_of,
    unseal,
)


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


@pytest.mark.parametrize("value", [None, {}, [1.5, float("inf"), "β"], {"a": {"b": [0.1]}}])
def test_what_is_sealed_comes_back(value):
    """Any JSON-able value, under its own name only, which the text says."""
    text = seal("score/abc", value)
    assert unseal("score/abc", text) == value
    assert open_sealed(text) == ("score/abc", value)
    with pytest.raises(ValueError, match="it was kept under another name"):
        unseal("score/abd", text)
    with pytest.raises(ValueError, match="its digest is not that of its content"):
        unseal("score/abd", json.dumps({**json.loads(text), "name": "score/abd"}))
    with pytest.raises(ValueError, match="its digest"):
        unseal("score/abc", json.dumps({**json.loads(text), "value": "another"}))
    with pytest.raises(ValueError, match="not what zsgate writes"):
        unseal("score/abc", json.dumps(value))


def test_a_folder_that_cannot_be_locked_is_named(tmp_path):
    """With what to do; a file in the way stands for any reason."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(MachineFailed, match=rf"{tmp_path}/cache cannot be written to or locked .*; --cache DIR"):
        locked(tmp_path / "cache" / "x.lock").__enter__()
    with locked(tmp_path / "made" / "x.lock"):
        assert (tmp_path / "made").is_dir()


@pytest.fixture
def generous():
    """Let everybody write to what this account makes, as some accounts do."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_kept_is_the_account_s_alone(tmp_path, generous):
    """Whatever the umask; but where others can write to the folder, as in a shared cache, they can to what is in it."""
    for place, folder, file in ((tmp_path / "own", 0o755, 0o644), (tmp_path / "shared", 0o777, 0o666)):
        place.mkdir(mode=folder)
        make_folder(place / "a" / "b")
        with replaced_whole(place / "a" / "x.json") as part:
            part.write_text("1")
        with replaced_whole(place / "copy") as part:
            part.mkdir()
            (part / "data").write_text("1")
        assert [mode(place / name) for name in ("a", "a/b", "copy")] == [folder] * 3
        assert [mode(place / name) for name in ("a/x.json", "copy/data")] == [file] * 2


@pytest.mark.parametrize(("bits", "said"), [(0o755, ""), (0o700, ""), (0o777, "everybody can"), (0o1777, "everybody")])
def test_who_else_can_write_is_told(tmp_path, bits, said):
    """By the folder's mode; a folder of which others can read only is nobody else's."""
    tmp_path.chmod(bits)
    found = others_who_write(tmp_path)
    assert said in found
    assert bool(said) == bool(found)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give folders away")
def test_another_account_s_folder_and_group_are_told(tmp_path):
    """The owner's name or number; a group counts, unless it is the account's own."""
    tmp_path.chmod(0o775)
    assert others_who_write(tmp_path) == ""  # root's own group
    os.chown(tmp_path, 0, 54321)
    assert others_who_write(tmp_path) == "its group (54321) can write to it"
    os.chown(tmp_path, 54321, 0)
    assert others_who_write(tmp_path) == "it belongs to another account (54321)"
