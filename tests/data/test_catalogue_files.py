"""Files of datasets: downloaded, mirrored, remembered, refused when altered, absent with a remedy."""

from __future__ import annotations

import hashlib
import os

import pytest
from webserver import CONTENT, DIGEST

from zsgate.data.annotations import Columns
from zsgate.data.catalogue.card import Card, File
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.catalogue.files import Shelf, copy_to_mirror
from zsgate.data.catalogue.load import load
from zsgate.errors import UsageProblem


@pytest.fixture
def card(place, monkeypatch):
    """Return the card of a dataset of two files, one with a published digest."""
    files = (File(name="a.bin", url=f"{place.home}/x/1", sha256=DIGEST), File(name="b.bin", url=f"{place.home}/x/2"))
    made = Card(name="made", files=files, columns=Columns(), source="", licence="", citation="")
    monkeypatch.setitem(CARDS, "made", made)
    return made


def test_files_are_downloaded_once(card, place, tmp_path):
    """They appear in the cache; the next time nothing is asked for, also without a network."""
    found = Shelf(tmp_path).files(card)
    assert {name: path.read_bytes() for name, path in found.items()} == {"a.bin": CONTENT, "b.bin": CONTENT}
    assert found["a.bin"] == tmp_path / "datasets" / "made" / "a.bin"
    assert Shelf(tmp_path, offline=True).files(card) == found
    assert len(place.asked) == 2


def test_offline_asks_for_nothing_and_says_what_to_do(card, place, tmp_path):
    """The command that fetches it, the mirror, and the folder to fill by hand with each file's address."""
    with pytest.raises(UsageProblem) as refused:
        Shelf(tmp_path, offline=True).files(card)
    for said in ("zsgate data fetch made", "--mirror", str(tmp_path / "datasets" / "made"), card.files[1].url):
        assert said in str(refused.value)
    assert place.asked == []


@pytest.mark.parametrize("name", ["a.bin", "b.bin"])
def test_an_altered_file_is_refused(card, tmp_path, name):
    """Against the published digest, or the one first seen where none is published; truncation alike."""
    path = Shelf(tmp_path).files(card)[name]
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(1, 1))
    with pytest.raises(UsageProblem, match=rf"{name} is truncated or altered: it has sha256 .*; delete (both )?it "):
        Shelf(tmp_path, offline=True).files(card)
    path.write_bytes(CONTENT[:1000])
    with pytest.raises(UsageProblem, match="truncated or altered"):
        Shelf(tmp_path, offline=True).files(card)


def test_a_file_without_a_published_digest_can_be_replaced(card, place, tmp_path):
    """What a proxy gave instead is deleted and fetched again, or put there by hand once its note is deleted too."""
    place.files = {"/x/1": CONTENT, "/x/2": b"Sign in"}
    path = Shelf(tmp_path).files(card)["b.bin"]
    path.unlink()
    place.files["/x/2"] = CONTENT
    assert Shelf(tmp_path).files(card)["b.bin"].read_bytes() == CONTENT
    path.write_bytes(b"another")
    note = path.with_name("b.bin.seen.json")
    with pytest.raises(UsageProblem, match=f"first seen is {DIGEST}; delete both it and {note}"):
        Shelf(tmp_path, offline=True).files(card)
    note.unlink()
    assert Shelf(tmp_path, offline=True).files(card)["b.bin"] == path


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"sha256"'])
def test_a_damaged_note_is_named(card, tmp_path, content):
    """A power cut may leave an empty one; it is not a traceback of json."""
    path = Shelf(tmp_path).files(card)["b.bin"]
    note = path.with_name("b.bin.seen.json")
    note.write_text(content)
    with pytest.raises(UsageProblem, match=f"{note} is damaged"):
        Shelf(tmp_path, offline=True).files(card)


def test_a_broken_download_leaves_nothing_that_is_used(card, place, tmp_path):
    """A connection that ends early leaves no file; the next run goes on and asks for the rest only."""
    place.bytes_before_hanging_up = 300_000
    with pytest.raises(UsageProblem, match="Run again to go on"):
        Shelf(tmp_path).files(card)
    assert Shelf(tmp_path).find(card, card.files[0]) is None
    place.bytes_before_hanging_up = None
    Shelf(tmp_path).files(card)
    assert place.asked[1] == "bytes=300000-"


def test_a_mirror_folder_serves_everything_in_place(card, place, tmp_path):
    """``copy_to_mirror`` writes it; an offline shelf with another cache reads it where it lies."""
    written = copy_to_mirror(Shelf(tmp_path / "one"), card, tmp_path / "mirror")
    assert [path.relative_to(tmp_path / "mirror").as_posix() for path in written] == ["made/a.bin", "made/b.bin"]
    asked = len(place.asked)
    found = Shelf(tmp_path / "two", mirror=str(tmp_path / "mirror"), offline=True).files(card)
    assert list(found.values()) == written
    assert len(place.asked) == asked


def test_a_mirror_address_serves_everything(card, place, tmp_path):
    """Files are asked for as ``<mirror>/<dataset>/<file>``, and checked against the published digest all the same."""
    place.files = {"/data/made/a.bin": CONTENT, "/data/made/b.bin": b"other"}
    found = Shelf(tmp_path / "one", mirror=f"{place.home}/data/").files(card)
    assert found["b.bin"].read_bytes() == b"other"
    place.files["/data/made/a.bin"] = b"not it"
    with pytest.raises(UsageProblem, match=f"published is {DIGEST}"):
        Shelf(tmp_path / "two", mirror=f"{place.home}/data").files(card)


def test_an_unchanged_file_is_not_read_again(card, tmp_path, monkeypatch):
    """Ten gigabytes are not hashed in every run: size and time of change are compared with the note."""
    shelf = Shelf(tmp_path)
    found = shelf.files(card)
    monkeypatch.setattr("zsgate.data.catalogue.files.sha256_of", lambda _: pytest.fail("hashed again"))
    assert shelf.files(card) == found
    assert hashlib.sha256(found["b.bin"].read_bytes()).hexdigest() == DIGEST


@pytest.mark.parametrize("content", [b"", b"Sign in", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_none_of_its_kind_can_be_fetched_again(place, monkeypatch, tmp_path, content):
    """Of which no digest is published: the sentence names it, and deleting it is enough."""
    file = File(name="c.h5ad", url=f"{place.home}/x/3")
    monkeypatch.setitem(
        CARDS, "made", Card(name="made", files=(file,), columns=Columns(), source="", licence="", citation="")
    )
    place.content = content
    with pytest.raises(UsageProblem, match=r"No digest is published of what was downloaded: delete .*c\.h5ad to fetch"):
        load("made", Shelf(tmp_path))
    (tmp_path / "datasets" / "made" / "c.h5ad").unlink()
    place.content = CONTENT
    assert Shelf(tmp_path).files(CARDS["made"])["c.h5ad"].read_bytes() == CONTENT
