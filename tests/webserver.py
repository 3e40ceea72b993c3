"""A web server on this machine that serves one content, and can be told to misbehave."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from contextlib import suppress
from typing import BinaryIO

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Place:
    """A web server that serves ``content`` or ``files``, with or without ranges, and may hang up early.

    Attributes
    ----------
    content
        What every address answers, unless ``files`` has its path.
    ranges
        Whether a range is answered with a part.
    mark
        ETag of the content; a range of another version is answered with the whole.
    heeds_marks
        Whether it does so, or answers with a part all the same.
    bytes_before_hanging_up
        None sends everything.
    length
        What Content-Length says; None is the truth, an empty text leaves it out.
    chunks
        Send in chunks, the last one marked, instead of saying a length.
    drip
        Seconds from one byte to the next; 0 sends all at once.
    moved_to
        Address to redirect to, from every path but itself.
    asked
        The range of every request so far.
    names
        The name and password of every request so far, as sent; None without.
    """

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.mark: str | None = None
        self.heeds_marks = True
        self.bytes_before_hanging_up: int | None = None
        self.length: str | None = None
        self.chunks = False
        self.drip = 0.0
        self.moved_to: str | None = None
        self.names: list[str | None] = []
        self.asked: list[str | None] = []
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            close_connection = True

            def do_GET(self) -> None:
                place.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.home = f"http://127.0.0.1:{self.server.server_port}"
        self.url = f"{self.home}/best_model.pt"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Serve a request as told to."""
        self.names.append(request.headers.get("Authorization"))
        if self.moved_to not in (None, request.path):
            request.send_response(302)
            request.send_header("Location", self.moved_to)
            request.end_headers()
            return
        asked = request.headers.get("Range")
        self.asked.append(asked)
        if self.files and request.path not in self.files:
            request.send_error(404)
            return
        content = self.files.get(request.path, self.content)
        same = not self.heeds_marks or request.headers.get("If-Range") in (None, self.mark)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges and same else 0
        if start >= len(content) > 0:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(content)}")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if self.chunks:
            request.send_header("Transfer-Encoding", "chunked")
        elif self.length != "":
            request.send_header("Content-Length", self.length or str(len(content) - start))
        if self.mark is not None:
            request.send_header("ETag", self.mark)
        request.end_headers()
        self.send(request.wfile, content[start:][: self.bytes_before_hanging_up])

    def send(self, out: BinaryIO, content: bytes) -> None:
        """Send the content as told to."""
        if self.chunks:
            end = b"" if self.bytes_before_hanging_up is not None else b"0\r\n\r\n"
            out.write(b"%x\r\n%s\r\n%s" % (len(content), content, end))
        elif not self.drip:
            out.write(content)
        with suppress(OSError):  # the reader has given up
            for place in range(len(content) if self.drip else 0):
                out.write(content[place : place + 1])
                time.sleep(self.drip)

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
