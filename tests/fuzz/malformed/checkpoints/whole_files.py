"""Faults of any file of a checkpoint as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from malformed.checkpoints.fault import Effect

FILES: dict[str, Callable[[Path, int], Effect]] = {}


def of_file(do: Callable[[Path, int], Effect]) -> None:
    FILES[do.__name__] = do


@of_file
def cut_off(path: Path, what: int) -> Effect:
    content = path.read_bytes()
    path.write_bytes(content[: what % len(content)])
    return "finite" if path.suffix in (".tsv", ".csv") else "refused"


@of_file
def gone(path: Path, what: int) -> Effect:
    path.unlink()
    return "refused"


@of_file
def a_folder(path: Path, what: int) -> Effect:
    path.unlink()
    path.mkdir()
    return "refused"


@of_file
def a_link(path: Path, what: int) -> Effect:
    if what % 2:
        path.unlink()
        path.symlink_to(path)
        return "refused"
    target = path.with_name(path.name + ".elsewhere")
    path.rename(target)
    path.symlink_to(target)
    return "same"


@of_file
def of_another_kind(path: Path, what: int) -> Effect:
    path.write_bytes((b"text\n", b"\0" * 100, b"PK\x05\x06" + b"\0" * 18, b"\x89HDF\r\n\x1a\n", b"{}")[what % 5])
    return "refused"
