"""The cache: what is kept is told by kind and age, what is idle can be freed, a run that goes on notices nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from zsgate.cli import main
from zsgate.errors import UsageProblem
from zsgate.system.cache import DAY, contents, find_folder, forget_made, prepare, remove
from zsgate.system.store import Store


def age(root, days):
    """Make everything under a folder look untouched for so many days."""
    then = time.time() - days * DAY
    for path in (root, *root.rglob("*")):
        os.utime(path, (then, then))


def kinds(root):
    return [thing.kind for thing in contents(root)]


EVERY = [
    *("counts", "cells", "embeddings", "scores", "reconstructions", "dictionaries", "runs", "downloads", "downloads"),
]


def test_everything_is_listed_with_its_size(root, capsys):
    """All bytes of the folder are accounted for, locks being empty; an empty folder is no error."""
    assert kinds(root) == EVERY
    assert sum(thing.n_bytes for thing in contents(root)) == sum(
        p.stat().st_size for p in root.rglob("*") if p.is_file()
    )
    assert main(["cache", "list", "--cache", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [*dict.fromkeys(EVERY), "together"]
    assert "used today" in lines[1]
    assert main(["cache", "list", "--cache", str(root / "none")]) == 0


def test_nothing_goes_unasked_and_downloads_only_by_name(root, capsys):
    """Without --yes it only says; with it all that can be made again goes; downloads when their kind is named."""
    age(root, 40)
    command = ["cache", "clean", "--cache", str(root)]
    assert main(command) == 0
    assert "would be freed" in capsys.readouterr().out
    assert kinds(root) == EVERY
    assert main([*command, "--yes"]) == 0
    assert "freed" in capsys.readouterr().out
    assert kinds(root) == ["downloads", "downloads"]
    assert {path.suffix for path in root.rglob("*") if path.is_file()} == {".lock", ".h5ad", ".json"}
    assert main([*command, "--kind", "downloads", "--yes"]) == 0
    assert kinds(root) == []
    assert main(command) == 0
    assert "nothing has been idle" in capsys.readouterr().out


def test_what_was_used_lately_stays(root, large):
    """Reading counts as using: of counts, embeddings and scores."""
    age(root, 40)
    large()
    store = Store(root)
    store.arrays("embedding", {"who": "hvg"}, lambda: pytest.fail("made again"))
    store.json("score", {"who": "hvg"}, lambda: pytest.fail("made again"))
    assert main(["cache", "clean", "--cache", str(root), "--yes"]) == 0
    assert kinds(root) == ["counts", "embeddings", "scores", "downloads", "downloads"]


def test_a_run_that_goes_on_is_not_disturbed(root, large):
    """What it has mapped stays readable; what it asks for again is made again."""
    dataset = large()
    (rows,), _ = Store(root).arrays("embedding", {"who": "hvg"}, lambda: pytest.fail("made again"))
    digest, total = dataset.digest, dataset.counts.sum()
    assert len(remove(contents(root))) == len(EVERY)
    assert dataset.counts.sum() == total
    assert rows.sum() == 100
    assert large().digest == digest
    assert Store(root).arrays("embedding", {"who": "hvg"}, lambda: ([rows], {}))[0][0].sum() == 100


def test_counts_that_are_being_opened_stay(root, capsys):
    """Whoever holds their lock is making or opening them."""
    age(root, 40)
    (counts,) = (thing.paths[0] for thing in contents(root) if thing.kind == "counts")
    with FileLock(f"{counts}.lock"):
        assert main(["cache", "clean", "--cache", str(root), "--kind", "counts", "--yes"]) == 0
    assert "1 are in use or not yours and stay" in capsys.readouterr().out
    assert kinds(root) == EVERY


@pytest.mark.parametrize("arguments", [["--older-than", "0"], ["--older-than", "nan"], ["--older-than", "x"]])
def test_less_than_a_day_is_refused(root, arguments, capsys):
    """A run may be using it."""
    with pytest.raises(SystemExit) as left:
        main(["cache", "clean", "--cache", str(root), *arguments])
    assert left.value.code == 4
    assert "--older-than" in capsys.readouterr().err


def test_an_unknown_kind_is_refused(root, capsys):
    """With the nearest name."""
    assert main(["cache", "clean", "--cache", str(root), "--kind", "count"]) == 4
    assert "did you mean 'counts'?" in capsys.readouterr().err


def test_half_a_file_of_a_killed_run_goes_too(root):
    """Parts that were never finished are things of their kind."""
    parts = [root / "embedding" / ".part-abc.npz", root / "prepared" / "part-abc" / "name" / "data"]
    for part in parts:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(bytes(1000))
    assert len(contents(root)) == len(EVERY) + 2
    age(root, 2)
    assert main(["cache", "clean", "--cache", str(root), "--older-than", "1", "--yes"]) == 0
    assert not any(part.exists() for part in parts)
    assert not [path for path in Path(root / "prepared").iterdir() if path.is_dir()]


def test_without_a_home_a_folder_must_be_named(tmp_path):
    """No HOME and no entry in the list of accounts: one sentence with the remedy, and no folder called ~."""
    code = (
        "import os\nfrom zsgate.system.cache import find_folder\nfrom zsgate.errors import UsageProblem\n"
        "if hasattr(os, 'getuid') and os.getuid() == 0: os.setuid(54321)\n"
        "try: print(find_folder())\nexcept UsageProblem as problem: print(problem)"
    )
    bare = {"PATH": os.environ["PATH"]}
    (tmp_path / "x").mkdir(mode=0o777)

    def said(**more):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=bare | more, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert said(HOME=str(tmp_path)) == str(tmp_path / ".cache" / "zsgate")
    assert said(XDG_CACHE_HOME=str(tmp_path)) == str(tmp_path / "zsgate")
    if os.getuid() == 0:
        assert said().startswith("nothing can be kept: HOME is not set")
        assert "--cache DIR or ZSGATE_CACHE" in said()
    assert find_folder(tmp_path / "given") == tmp_path / "given"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("inside", [".", "embedding", "runs"])
def test_a_cache_that_others_can_write_to_is_refused(tmp_path, inside):
    """The folder or one in it, with what to do; --cache-shared takes it."""
    cache = tmp_path / "cache"
    prepare(cache)
    prepare(cache)
    (cache / inside).mkdir(exist_ok=True)
    (cache / inside).chmod(0o777)
    with pytest.raises(UsageProblem, match=r"everybody can write to it.*chmod go-w.*--cache-shared") as refused:
        prepare(cache)
    assert f"--cache {cache / inside}:" in str(refused.value)
    prepare(cache, shared=True)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give folders away")
def test_another_account_s_sub_folder_is_refused(tmp_path):
    """Who owns it can change what is in it."""
    (tmp_path / "score").mkdir()
    os.chown(tmp_path / "score", 54321, 54321)
    with pytest.raises(UsageProblem, match=r"score: it belongs to another account \(54321\)"):
        prepare(tmp_path)
    prepare(tmp_path, shared=True)


def test_a_cache_that_cannot_be_written_to_is_refused(tmp_path):
    """One sentence with the folder and the remedy; a file in its way stands for any reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageProblem, match=r"file/cache: cannot write there \(.*\); --cache DIR or ZSGATE_CACHE"):
        prepare(tmp_path / "file" / "cache")


def test_a_fresh_run_forgets_copies_and_compiled_loops(root):
    """What the store does not check run by run goes; the rest stays for later runs."""
    (root / "kernels").mkdir()
    (root / "kernels" / "x.nbi").write_text("")
    forget_made(root)
    assert kinds(root) == [kind for kind in EVERY if kind not in ("counts", "dictionaries")]


def test_a_folder_that_cannot_be_read_is_one_sentence(root, monkeypatch, capsys):
    """Another account's, for example."""

    def refused(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    assert main(["cache", "list", "--cache", str(root)]) == 4
    assert "prepared cannot be read (Permission denied); --cache DIR" in capsys.readouterr().err
