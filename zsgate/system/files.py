"""Files: writing one so that nobody ever sees half of it, and the digest of one."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_whole(path: Path) -> Iterator[Path]:
    """Yield where to write a file or folder; it becomes ``path`` when the with statement ends without an error.

    A reader sees what was there before or the whole new content, also when this process is killed. After an error
    nothing of the new content is left, and ``path`` is as it was.

    Parameters
    ----------
    path
        Where the content belongs. A file that is there is replaced, a folder must not be there. The place that is
        yielded has the same suffix, lies in the same folder, which must exist, and begins with ``.part-``.
    """
    part = path.with_name(f".part-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
