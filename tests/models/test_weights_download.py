"""Downloads: resumed, checked, recorded, refused; against a real server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from zsgate.errors import UsageProblem
from zsgate.models.checkpoints import CHECKPOINTS, WeightFile
from zsgate.models.download import fetch
from zsgate.models.weights import find_files

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Place:
    """A web server that serves CONTENT, with or without ranges, and may hang up early."""

    def __init__(self) -> None:
        self.ranges = True
        self.bytes_before_hanging_up: int | None = None
        self.asked: list[str | None] = []
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/best_model.pt"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Serve a request as told to."""
        asked = request.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        body = CONTENT[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.bytes_before_hanging_up])


@pytest.fixture
def place() -> Iterator[Place]:
    """Return a running server."""
    server = Place()
    yield server
    server.server.shutdown()
    server.thread.join()
    server.server.server_close()


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


def test_an_unpublished_digest_is_recorded_and_may_not_change(place: Place, tmp_path: Path) -> None:
    """A file no source states a digest for is marked, its first digest kept, and a later change refused."""
    checkpoint = replace(CHECKPOINTS["scgpt_blood"], files=(WeightFile(name="best_model.pt", url=place.url),))
    found = find_files(checkpoint, None, tmp_path, offline=False)["best_model.pt"]
    assert (found.status, found.sha256) == ("unpublished", DIGEST)
    assert find_files(checkpoint, None, tmp_path, offline=True)["best_model.pt"] == found
    found.path.write_bytes(CONTENT + b"!")
    with pytest.raises(UsageProblem, match="has changed since it was first seen"):
        find_files(checkpoint, None, tmp_path, offline=True)


def test_an_altered_file_in_the_cache_is_refused(place: Place, tmp_path: Path) -> None:
    """A cached file with a published digest must still have it."""
    file = WeightFile(name="best_model.pt", url=place.url, sha256=DIGEST)
    checkpoint = replace(CHECKPOINTS["scgpt_human"], files=(file,))
    path = find_files(checkpoint, None, tmp_path, offline=False)["best_model.pt"].path
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(UsageProblem, match="truncated or altered"):
        find_files(checkpoint, None, tmp_path, offline=True)
