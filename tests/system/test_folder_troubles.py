"""Folders that cannot be used, as shared runners have them: each is said with a remedy, and costs time only."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from kept import KEY, Counted, files

from zsgate.cli import main
from zsgate.errors import MachineFailed, UsageProblem
from zsgate.system import arrays
from zsgate.system.cache import prepare
from zsgate.system.files import locked, make_folder
from zsgate.system.store import Store

REMEDY = "--cache DIR or ZSGATE_CACHE"


@contextmanager
def mounted(folder):
    """Have a file system of its own in a folder, or skip: only root may mount."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=1m", "tmpfs", folder], check=False)
    if done.returncode:
        pytest.skip("this account may not mount file systems")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def disk(tmp_path):
    """Return a folder with a file system of 1 MB."""
    if shutil.which("mount") is None or not sys.platform.startswith("linux"):
        pytest.skip("no mount")
    with mounted(tmp_path / "disk") as folder:
        yield folder


def kept_and_said(store, capsys, rows=3):
    """Ask a store twice for a value and arrays, which must come; return how often they were made and what was said."""
    value, made = Counted({"a": 1}), Counted(([np.arange(rows, dtype=float)], {}))
    for _ in range(2):
        assert store.json("score", KEY, value) == {"a": 1}
        np.testing.assert_array_equal(store.arrays("embedding", KEY, made)[0][0], np.arange(rows))
    return (value.calls, made.calls), capsys.readouterr().err.splitlines()


def test_a_full_disk(disk, capsys, monkeypatch):
    """What does not fit, archive or large array, is used and not kept, and no half of it stays; what fits is kept."""
    store = Store(disk)
    for limit in (1 << 28, 1 << 10):  # in the archive, and beside it
        monkeypatch.setattr(arrays, "IN_MEMORY", limit)
        calls, said = kept_and_said(store, capsys, rows=1 << 18)
        assert calls == ((1, 2) if limit > 1 << 20 else (0, 2))
        assert files(store) == [path.name for path in disk.glob("score/*.json")]
        for line in said:
            assert line.startswith(f"zsgate: {disk}/embedding cannot be written to (No space left on device); {REMEDY}")
    prepare(disk)
    with (disk / "fill").open("wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(1 << 21))
    other = Store(disk)
    assert other.json("form", KEY, lambda: 1) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{disk}/form cannot be written to" in line
    assert REMEDY in line


def test_a_folder_that_is_read_only(disk, capsys):
    """Refused before a run; a store there serves what it has, and says once a kind that it keeps nothing."""
    store = Store(disk)
    store.json("score", KEY, lambda: {"a": 1})
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(UsageProblem, match=rf"--cache {disk}: cannot write there \(Read-only file system\); {REMEDY}"):
        prepare(disk)
    calls, said = kept_and_said(Store(disk), capsys)
    assert calls == (0, 2)
    (line,) = said
    assert line.startswith(f"zsgate: {disk}/embedding cannot be written to or locked (Read-only file system); {REMEDY}")
    store.discard("score", KEY, ".json")
    assert store.has("score", KEY, ".json")
    assert main(["cache", "verify", "--cache", str(disk)]) == 0
    assert main(["cache", "import", str(disk / "x.tar"), "--cache", str(disk)]) == 4


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks(tmp_path, capsys, monkeypatch, number):
    """As some network file systems are; no file is taken for a lock, which a run that is killed would leave behind."""

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)  # none such can be mounted here
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calls, said = kept_and_said(Store(tmp_path / "store"), capsys)
    assert calls == (2, 2)
    assert len(said) == 2
    for line in said:
        assert "cannot be written to or locked (" in line
        assert REMEDY in line
    assert files(Store(tmp_path)) == []
    with pytest.raises(MachineFailed, match=REMEDY):
        locked(tmp_path / "x.lock").__enter__()


@pytest.mark.parametrize("below", [".", "inside/deeper"])
def test_a_link_to_nothing(tmp_path, capsys, below):
    """Of the cache folder or of one above it: the link and where it leads are named, and nothing is made there."""
    (tmp_path / "link").symlink_to("nowhere")
    cache = tmp_path / "link" / below
    match = rf"--cache {cache}: {tmp_path}/link is a link to nowhere, which is not there; {REMEDY}"
    with pytest.raises(UsageProblem, match=match):
        prepare(cache)
    assert main(["cache", "verify", "--cache", str(cache)]) == 4
    capsys.readouterr()
    calls, said = kept_and_said(Store(cache), capsys)
    assert calls == (2, 2)
    assert all("is a link to nowhere, which is not there" in line and REMEDY in line for line in said)
    assert not (tmp_path / "nowhere").exists()


def test_links_in_a_circle(tmp_path):
    """They lead nowhere, too."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UsageProblem, match=rf"{tmp_path}/a is a link to b, which is not there"):
        prepare(tmp_path / "a")
    with pytest.raises(OSError, match="is a link to b"):
        make_folder(tmp_path / "a" / "x")


def test_a_link_to_a_folder_is_a_folder(tmp_path, capsys):
    """As shared runners have them: used as any."""
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to("real")
    prepare(tmp_path / "link")
    assert kept_and_said(Store(tmp_path / "link"), capsys) == ((1, 1), [])


def test_a_file_in_the_folder_s_place(tmp_path, capsys):
    """Refused before a run, in a command as well."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageProblem, match=rf"--cache {tmp_path}/file: it is no folder; {REMEDY}"):
        prepare(tmp_path / "file")
    assert main(["cache", "verify", "--cache", str(tmp_path / "file")]) == 4
    capsys.readouterr()
    calls, said = kept_and_said(Store(tmp_path / "file"), capsys)
    assert (calls, len(said)) == ((2, 2), 2)


def test_a_folder_that_disappears(tmp_path, capsys):
    """While something is computed: that is used and not kept; what comes next is kept in a folder made anew."""
    folder = tmp_path / "store"
    store = Store(folder)

    def gone():
        shutil.rmtree(folder)
        return {"a": 1}

    assert store.json("score", KEY, gone) == {"a": 1}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"zsgate: {folder}/score cannot be written to (No such file or directory); {REMEDY}")
    assert kept_and_said(store, capsys) == ((1, 1), [])
    mapped = Store(folder).arrays("embedding", KEY, lambda: pytest.fail("made again"))[0][0]
    shutil.rmtree(folder)
    assert mapped.tolist() == [0, 1, 2]
    assert not store.has("embedding", KEY)


def test_a_disk_that_disappears(disk, tmp_path, capsys, monkeypatch):
    """A mount that goes away: arrays that are mapped stay readable, what is computed goes to the folder below it."""
    monkeypatch.setattr(arrays, "IN_MEMORY", 64)
    store = Store(disk)
    rows = np.arange(100.0)
    mapped = store.arrays("embedding", KEY, lambda: ([rows], {}))[0][0]
    subprocess.run(["umount", "-l", disk], check=True)
    try:
        np.testing.assert_array_equal(mapped, rows)
        assert kept_and_said(store, capsys) == ((1, 1), [])
    finally:  # something to unmount, for the fixture
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], check=True)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another account")
def test_a_folder_without_leave(tmp_path):
    """An account that may not even look into it, as a run in a container: exit 4 and the folder's name."""
    locked_up = tmp_path / "locked"
    locked_up.mkdir(mode=0o700)
    for place in tmp_path.parents[:3]:
        place.chmod(0o755)
    tmp_path.chmod(0o755)
    code = (
        "import os, sys\nfrom zsgate.cli import main\nfrom zsgate.system.cache import prepare\n"
        "import zsgate.cli.verify, zsgate.config.config, zsgate.models, zsgate.data.mapped, platformdirs\n"
        "from pathlib import Path\n"
        "os.setgid(54321); os.setuid(54321)\n"
        "try: prepare(Path(sys.argv[1]))\nexcept Exception as error: print(error)\n"
        "sys.exit(main(['cache', 'verify', '--cache', sys.argv[1]]))"
    )
    for cache in (locked_up, locked_up / "cache"):
        done = subprocess.run(
            [sys.executable, "-c", code, cache], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.stdout.startswith(f"--cache {cache}: cannot write there (Permission denied); {REMEDY}"), done.stderr
        assert done.returncode == 4
        assert "Traceback" not in done.stderr
