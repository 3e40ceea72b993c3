"""``zsgate cache verify`` reads all that is kept, names what is damaged, and touches nothing unless it is told to."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from filelock import FileLock

from zsgate.cli import main
from zsgate.cli import verify as verifying
from zsgate.data.catalogue.cards import CARDS
from zsgate.system.files import sha256_of
from zsgate.system.store import Store, verify
from zsgate.system.store.verify import State


@pytest.fixture
def whole(root):
    """Return the cache without the downloads, which are called like published files and are not those."""
    shutil.rmtree(root / "datasets")
    shutil.rmtree(root / "weights")
    (root / "weights" / "mine").mkdir(parents=True)
    (root / "weights" / "mine" / "model.pt").write_text("x")
    return root


def verified(root, capsys, *arguments):
    """Return exit code and lines of the command."""
    code = main(["cache", "verify", "--cache", str(root), *arguments])
    return code, capsys.readouterr().out.splitlines()


def flip(path, place=-1):
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def test_a_whole_cache_is_whole(whole, capsys):
    """One line a kind; what nobody published a digest of is no more than counted, and nothing is changed."""
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()}
    code, lines = verified(whole, capsys)
    assert (code, lines[0]) == (0, str(whole))
    assert [line.split(maxsplit=1) for line in lines[1:]] == [
        ["counts", "1 checked"],
        ["cells", "1 checked"],
        ["embeddings", "1 checked"],
        ["scores", "1 checked"],
        ["reconstructions", "1 checked"],
        ["dictionaries", "1 not zsgate's"],
        ["runs", "1 checked"],
        ["downloads", "1 that cannot be checked"],
    ]
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "pattern",
    ["embedding/*.npz", "embedding/*.0.npy", "score/*.json", "cells/*.npz", "prepared/*/data", "prepared/*/facts.json"],
)
def test_one_flipped_byte_is_named(whole, capsys, pattern):
    """In any kind of file: exit 1 and the entry's name; with --remove it goes, alone, and the next look is content."""
    (path,) = whole.glob(pattern)
    flip(path, path.stat().st_size // 2)
    code, lines = verified(whole, capsys)
    named = path.parent if pattern.startswith("prepared") else path.with_name(f"{path.name.partition('.')[0]}.npz")
    named = path if path.suffix == ".json" and path.parent.name == "score" else named
    assert code == 1
    assert lines[0].startswith(f"{named}: damaged, ")
    others = {each for each in whole.rglob("*") if named.name.partition(".")[0] not in str(each)}
    code, lines = verified(whole, capsys, "--remove")
    assert code == 0
    assert lines[0].endswith("; removed")
    assert [path.suffix for path in named.parent.glob(f"{named.name.partition('.')[0]}*")] in ([], [".lock"])
    assert others <= set(whole.rglob("*"))
    assert verified(whole, capsys)[0] == 0
    assert "damaged" not in "".join(verified(whole, capsys)[1])


def test_an_entry_s_every_byte_is_looked_at(tmp_path):
    """What verify calls whole is what a store serves: no flip that changes a value passes."""
    store = Store(tmp_path)
    array = np.arange(5.0)
    store.arrays("embedding", {"a": 1}, lambda: ([array], {}))
    (path,) = tmp_path.rglob("*.npz")
    content = path.read_bytes()
    for place in range(0, len(content), 19):
        path.write_bytes(content)
        flip(path, place)
        (finding,) = verify.verify_folder(path.parent)
        reader = Store(tmp_path)
        ((found,), _) = reader.arrays("embedding", {"a": 1}, lambda: ([array], {}))
        assert (finding.state is State.DAMAGED) == bool(reader.said)
        np.testing.assert_array_equal(found, array)


def test_downloads_are_held_against_what_was_published(whole, capsys):
    """A file of the catalogue with another digest is damaged; one without a published digest must be as first seen."""
    card = next(card for card in CARDS.values() if card.files[0].sha256 and card.files[0].url)
    wrong = whole / "datasets" / card.name / card.files[0].name
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_text("x")
    seen = whole / "weights" / "somebody" / "model.bin"
    seen.parent.mkdir(parents=True)
    seen.write_text("y")
    seen.with_name("model.bin.sha256").write_text(sha256_of(seen))
    noted = whole / "datasets" / "mine" / "cells.h5ad"
    noted.parent.mkdir()
    noted.write_text("z")
    noted.with_name("cells.h5ad.seen.json").write_text(json.dumps({"sha256": "0" * 64}))
    code, lines = verified(whole, capsys)
    assert code == 1
    assert f"{wrong}: damaged, its sha256 is not the one published" in lines
    assert f"{noted}: damaged, its sha256 is not the one first seen" in lines
    assert not any(str(seen) in line for line in lines)
    verified(whole, capsys, "--remove")
    assert (wrong.exists(), noted.exists(), seen.exists()) == (False, False, True)


def test_what_is_not_an_entry_is_not_damage(whole, capsys):
    """Notes of people, parts of files that a run is writing, arrays without their archive, and an earlier version's."""
    folder = whole / "embedding"
    (folder / "readme.txt").write_text("ours")
    (folder / ".part-abc.npz").write_bytes(b"half")
    (folder / f"{'0' * 40}.0.npy").write_bytes(b"half")
    (whole / "score" / f"{'1' * 40}.json").write_text('{"sha256": "", "value": 1}')
    code, lines = verified(whole, capsys, "--remove")
    assert code == 0
    said = dict(line.split(maxsplit=1) for line in lines[1:])
    assert said["embeddings"] == "1 checked, 2 left unfinished, or being written, 1 not zsgate's"
    assert said["scores"] == "1 checked, 1 of an earlier version, never read"
    assert len(list(folder.iterdir())) == 5


def test_a_folder_in_an_entry_s_place_and_links_to_nothing(whole, capsys):
    """Neither ends the walk; a link to nothing is damage."""
    (whole / "score" / f"{'2' * 40}.json").mkdir()
    link = whole / "embedding" / f"{'3' * 40}.npz"
    link.symlink_to("nowhere")
    code, lines = verified(whole, capsys, "--remove")
    assert (code, lines[0]) == (0, f"{link}: damaged, it is a link to nothing; removed")
    assert not link.is_symlink()


def test_a_sound_entry_that_a_run_put_there_meanwhile_stays(tmp_path):
    """What is removed is looked at once more."""
    store = Store(tmp_path)
    store.json("score", {}, lambda: 1)
    (path,) = tmp_path.rglob("*.json")
    content = path.read_bytes()
    flip(path)
    (finding,) = verify.verify_folder(path.parent)
    path.write_bytes(content)
    assert not verify.remove(finding)
    assert path.read_bytes() == content
    path.unlink()
    assert verify.remove(finding)


def test_counts_that_are_being_opened_stay(whole, capsys):
    """Whoever holds their lock is making or opening them; what cannot be removed is exit 1."""
    (path,) = whole.glob("prepared/*/data")
    flip(path)
    with FileLock(f"{path.parent}.lock"):
        code, lines = verified(whole, capsys, "--remove")
    assert (code, path.exists()) == (1, True)
    assert lines[0].endswith("; cannot be removed")


def test_an_empty_cache_is_content(tmp_path, capsys):
    """Nothing there is nothing wrong."""
    assert verified(tmp_path / "absent", capsys) == (0, [str(tmp_path / "absent")])
    assert not (tmp_path / "absent").exists()
    assert list(verifying.findings(tmp_path)) == []
