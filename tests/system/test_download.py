"""Downloads: resumed, checked, refused; against a real server on this machine."""

from __future__ import annotations

import http.client
import io
import urllib.request
from pathlib import Path

import pytest
from webserver import CONTENT, DIGEST, Place

from zsgate.errors import UsageProblem
from zsgate.plugin.budget import OutOfTime
from zsgate.system import download
from zsgate.system.download import SafeRedirects, fetch
from zsgate.system.processes import time_limit


def test_a_download_goes_on_where_it_stopped(place: Place, tmp_path: Path) -> None:
    """After a broken connection only the missing bytes are asked for, and the result is checked whole."""
    target = tmp_path / "best_model.pt"
    place.bytes_before_hanging_up = 300_000
    with pytest.raises(UsageProblem, match="Run again to go on"):
        fetch(place.url, target, sha256=DIGEST)
    assert not target.exists()
    place.bytes_before_hanging_up = None
    fetch(place.url, target, sha256=DIGEST)
    assert target.read_bytes() == CONTENT
    assert place.asked == [None, "bytes=300000-"]


def test_a_server_without_ranges_starts_anew(place: Place, tmp_path: Path) -> None:
    """A server that ignores the range gives the whole file, which replaces the part."""
    (tmp_path / "best_model.pt.part").write_bytes(CONTENT[:1000])
    place.ranges = False
    fetch(place.url, tmp_path / "best_model.pt", sha256=DIGEST)
    assert (tmp_path / "best_model.pt").read_bytes() == CONTENT


def test_other_bytes_than_published_are_deleted(place: Place, tmp_path: Path) -> None:
    """A file whose digest is not the published one is refused and not kept."""
    with pytest.raises(UsageProblem, match="published is 0000"):
        fetch(place.url, tmp_path / "best_model.pt", sha256="0" * 64)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_no_room_on_the_disk_is_said_before_the_download(place: Place, tmp_path: Path) -> None:
    """A file larger than the free space is not begun."""
    with pytest.raises(UsageProblem, match="free"):
        fetch(place.url, tmp_path / "best_model.pt", sha256=DIGEST, n_bytes=1 << 60)
    assert place.asked == []


def test_an_unreachable_place_is_one_sentence(tmp_path: Path) -> None:
    """A closed port is a usage problem that names the address and the folder to fill by hand."""
    with pytest.raises(UsageProblem, match=r"127\.0\.0\.1.*--weights DIR"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x", sha256=None)


def test_a_redirect_is_followed(place: Place, tmp_path: Path) -> None:
    """Hosts of public files answer with another address."""
    place.moved_to = "/elsewhere"
    fetch(place.url, tmp_path / "x", sha256=DIGEST)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_stitched_together(place: Place, tmp_path: Path) -> None:
    """Half of one version is never completed with half of the next, also where no digest would notice."""
    place.mark = '"first"'
    place.bytes_before_hanging_up = 1000
    with pytest.raises(UsageProblem, match=r"ended after 1,000 of 1,024,000 bytes"):
        fetch(place.url, tmp_path / "x", sha256=None)
    place.mark, place.content, place.bytes_before_hanging_up = '"second"', CONTENT[::-1], None
    fetch(place.url, tmp_path / "x", sha256=None)
    assert (tmp_path / "x").read_bytes() == CONTENT[::-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.lock"]


@pytest.mark.parametrize("mark", [None, 'W/"first"', '"first"'])
def test_a_server_that_does_not_vouch_for_the_rest_is_not_gone_on_with(place: Place, tmp_path: Path, mark) -> None:
    """No mark, a weak one, or another than before on a part: without a digest the part is given up."""
    place.mark, place.bytes_before_hanging_up = mark, 1000
    with pytest.raises(UsageProblem, match="ended after"):
        fetch(place.url, tmp_path / "x", sha256=None)
    place.mark, place.content, place.bytes_before_hanging_up = (
        mark and mark.replace("first", "next"),
        CONTENT[::-1],
        None,
    )
    place.heeds_marks = False
    if mark == '"first"':
        with pytest.raises(UsageProblem, match="does not belong to this file and was deleted"):
            fetch(place.url, tmp_path / "x", sha256=None)
    fetch(place.url, tmp_path / "x", sha256=None)
    assert (tmp_path / "x").read_bytes() == CONTENT[::-1]


def test_a_vouched_part_is_gone_on_with(place: Place, tmp_path: Path) -> None:
    """The same strong mark before and after: only the rest is asked for, without a digest too."""
    place.mark, place.bytes_before_hanging_up = '"first"', 1000
    with pytest.raises(UsageProblem, match="ended after"):
        fetch(place.url, tmp_path / "x", sha256=None)
    place.bytes_before_hanging_up = None
    fetch(place.url, tmp_path / "x", sha256=None)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert place.asked == [None, "bytes=1000-"]


def test_standard_output_is_left_to_the_command(place: Place, tmp_path: Path, capsys) -> None:
    """``$(zsgate data fetch NAME)`` is a path: the bar goes where errors go."""
    fetch(place.url, tmp_path / "x", sha256=DIGEST)
    assert capsys.readouterr().out == ""


def test_a_complete_part_is_not_asked_for_again(place: Place, tmp_path: Path) -> None:
    """Interrupted between the last byte and the check: nothing is missing, so it is checked and taken."""
    (tmp_path / "x.part").write_bytes(CONTENT)
    fetch(place.url, tmp_path / "x", sha256=DIGEST)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_deleted(place: Place, tmp_path: Path) -> None:
    """What is left of something else is not taken for the file."""
    (tmp_path / "x.part").write_bytes(CONTENT + b"!")
    with pytest.raises(UsageProblem, match="does not belong to this file and was deleted"):
        fetch(place.url, tmp_path / "x", sha256=DIGEST)
    fetch(place.url, tmp_path / "x", sha256=DIGEST)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_another_size_than_published_is_refused(place: Place, tmp_path: Path) -> None:
    """A published size is checked as well, for not every source states a digest."""
    with pytest.raises(UsageProblem, match=r"1,024,000 bytes, published are 1,024,001"):
        fetch(place.url, tmp_path / "x", sha256=None, n_bytes=1_024_001)
    assert not list(tmp_path.glob("x")) + list(tmp_path.glob("*.part"))


def test_a_large_download_is_announced(place: Place, tmp_path: Path, monkeypatch, capsys) -> None:
    """Size and time are said before the bytes come; of a small file nothing is said."""
    fetch(place.url, tmp_path / "small", sha256=DIGEST)
    assert "to download" not in capsys.readouterr().err
    monkeypatch.setattr(download, "LARGE", 1_000_000)
    fetch(place.url, tmp_path / "large", sha256=DIGEST)
    assert "large: 0.0 GB to download, 0.0 hours at 10 MB/s; Ctrl-C keeps what came" in capsys.readouterr().err


def nothing_kept(folder: Path) -> bool:
    return [path.suffix for path in folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("length", ["many", "-5", "1e6", "12 34", "\u00b2", ""])
def test_a_length_that_is_none_is_no_traceback(place: Place, tmp_path: Path, length: str) -> None:
    """With a digest or a size the file is taken all the same; without either nobody knows whether it is whole."""
    place.length = length.encode().decode("latin-1")
    fetch(place.url, tmp_path / "x", sha256=DIGEST)
    assert (tmp_path / "x").read_bytes() == CONTENT
    fetch(place.url, tmp_path / "y", sha256=None, n_bytes=len(CONTENT))
    with pytest.raises(UsageProblem, match="without saying how long it is, so that it may be cut off: it was deleted"):
        fetch(place.url, tmp_path / "z", sha256=None)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["x", "y"]


NO_ADDRESSES = """
best_model.pt
htps://host/x
ftp://host/x
file:///etc/hostname
http://
http://[::1/x
http://h:p/x
http://a b/x
http://host:99999/x
""".splitlines()


@pytest.mark.parametrize("address", [*NO_ADDRESSES, "http://host/a\nb", f"http://{'a' * 70}.org/x"])
def test_an_address_that_is_none_is_one_sentence(tmp_path: Path, address: str) -> None:
    """Whatever is wrong with it; nothing is kept, and no file of this machine is read."""
    with pytest.raises(UsageProblem, match="could not be downloaded"):
        fetch(address, tmp_path / "x", sha256=None)
    assert nothing_kept(tmp_path)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>Sign in", b"\xef\xbb\xbf\n <html lang=en>", b"<!doctype HTML>"])
def test_a_web_page_is_not_taken_for_the_file(place: Place, tmp_path: Path, page: bytes) -> None:
    """A sign-in page or a quota notice comes with status 200; where nothing is published it must not be kept."""
    place.content = page
    with pytest.raises(UsageProblem, match="a web page and not the file: it was deleted"):
        fetch(place.url, tmp_path / "x", sha256=None)
    assert nothing_kept(tmp_path)


def test_a_file_in_chunks_is_whole_when_the_last_chunk_came(place: Place, tmp_path: Path) -> None:
    """Its end is marked, so it needs no length; without the mark it is cut off, and nothing is kept."""
    place.chunks = True
    fetch(place.url, tmp_path / "x", sha256=None)
    assert (tmp_path / "x").read_bytes() == CONTENT
    place.bytes_before_hanging_up = 1000
    with pytest.raises(UsageProblem, match="could not be downloaded"):
        fetch(place.url, tmp_path / "y", sha256=None)
    assert not (tmp_path / "y").exists()


def test_a_drip_ends(place: Place, tmp_path: Path, monkeypatch) -> None:
    """A server that sends a byte now and then is given up; what came is kept for the next attempt."""
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    place.drip = 0.01
    with pytest.raises(UsageProblem, match=r"no more than \d+ bytes came in a second"):
        fetch(place.url, tmp_path / "x", sha256=DIGEST)
    came = (tmp_path / "x.part").stat().st_size
    assert 0 < came < 1000
    place.drip = 0
    fetch(place.url, tmp_path / "x", sha256=DIGEST)
    assert place.asked[-1] == f"bytes={came}-"


@pytest.mark.parametrize(
    ("old", "new", "follows"),
    [
        ("https://a/x", "https://b/y", True),
        ("http://a/x", "https://b/y", True),
        ("http://a/x", "http://b/y", True),
        ("https://a/x", "http://a/x", False),
        ("https://a/x", "ftp://a/x", False),
        ("http://a/x", "ftp://a/x", False),
        ("https://a/x", "HTTP://a/x", False),
    ],
)
def test_no_redirect_leads_to_less_safety(old: str, new: str, follows: bool) -> None:
    """From https to https only, and never to ftp."""
    request, nothing = urllib.request.Request(old), io.BytesIO()
    if follows:
        found = SafeRedirects().redirect_request(request, nothing, 302, "Found", http.client.HTTPMessage(), new)
        assert found is not None
        assert found.full_url == new
        return
    with pytest.raises(ConnectionError, match="which is not as safe"):
        SafeRedirects().redirect_request(request, nothing, 302, "Found", http.client.HTTPMessage(), new)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "file:///etc/hostname", "gopher://x"])
def test_a_redirect_elsewhere_is_one_sentence(place: Place, tmp_path: Path, address: str) -> None:
    """Of the whole download."""
    place.moved_to = address
    with pytest.raises(UsageProblem, match="could not be downloaded"):
        fetch(place.url, tmp_path / "x", sha256=None)
    assert nothing_kept(tmp_path)


def test_a_name_and_password_are_sent_and_never_shown(place: Place, tmp_path: Path) -> None:
    """To the place that they are for, not to where it leads; no sentence repeats them."""
    secret = place.url.replace("http://", "http://lab:T%40KEN@")
    fetch(secret, tmp_path / "x", sha256=DIGEST)
    assert place.names == ["Basic bGFiOlRAS0VO"]
    place.moved_to = "/elsewhere"
    fetch(secret, tmp_path / "y", sha256=DIGEST)
    assert place.names[1:] == ["Basic bGFiOlRAS0VO", None]
    for address in (secret, "http://lab:T%40KEN@127.0.0.1:9/x", "http://lab:T%40KEN@[::1/x", "ftp://lab:T%40KEN@h/x"):
        with pytest.raises(UsageProblem) as refused:
            fetch(address, tmp_path / "z", sha256="0" * 64)
        assert not any(word in str(refused.value) for word in ("lab", "T%40KEN", "T@KEN"))


def test_a_folder_that_cannot_be_written_to_is_one_sentence(place: Place, tmp_path: Path) -> None:
    """A file in its way stands for any reason."""
    (tmp_path / "weights").write_text("")
    with pytest.raises(UsageProblem, match="weights cannot be written to or locked"):
        fetch(place.url, tmp_path / "weights" / "x", sha256=DIGEST)
    assert place.asked == []


def test_a_download_ends_when_the_time_of_a_run_is_up(place: Place, tmp_path: Path) -> None:
    """It is an interrupt, not a fault of the server."""
    place.drip = 0.05
    with pytest.raises(OutOfTime), time_limit(1, "what comes before the tests", OutOfTime):
        fetch(place.url, tmp_path / "model.pt", sha256=DIGEST)
    assert not (tmp_path / "model.pt").exists()
