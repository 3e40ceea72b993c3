"""Parcel: entries of a store in one file, to be taken to another machine, where nobody believes them yet.

A parcel is an uncompressed tar of a manifest and of files of entries. It is read as something that a stranger made:
nothing is written under a name that it gives before the name is one of an entry's, nothing is unpacked but what the
manifest lists with its size and SHA-256, and nothing lands before every entry in it was read and checked.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from zsgate.errors import MachineFailed, UsageProblem
from zsgate.system.files import Damaged, fault_of, make_folder, replaced_whole, sha256_of, why
from zsgate.system.progress import BYTES, steps
from zsgate.system.store.entry import BESIDE, NAME, Archive

MANIFEST = "manifest.json"
MOST_MANIFEST = 1 << 24  # bytes; an entry takes less than 1 kB of it
KINDS = ("embedding", "proof")  # that a run can prove with few cells
PIECE = 1 << 20  # bytes that are read at a time
IMPORTED = "imported"  # sub-folder of the cache folder where entries wait until a run has proven them


@dataclass(frozen=True, slots=True)
class _Listed:
    """A file that a manifest lists."""

    name: str
    size: int
    sha256: str


def pack(entries: Sequence[Archive], file: Path) -> None:
    """Write entries, which the caller has read and found sound, into a parcel.

    Raises
    ------
    MachineFailed
        If it cannot be written, or an entry is gone meanwhile.
    """
    paths = [path for entry in entries for path in (entry.path, *entry.beside())]
    try:
        listed = [_Listed(f"{path.parent.name}/{path.name}", path.stat().st_size, sha256_of(path)) for path in paths]
        manifest = json.dumps({"files": [asdict(each) for each in listed]}).encode()
        make_folder(file.parent)
        with (
            replaced_whole(file) as part,
            tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as tar,
            steps("cache: exporting", sum(each.size for each in listed), BYTES) as advance,
        ):
            _add(tar, MANIFEST, len(manifest), io.BytesIO(manifest))
            for path, told in zip(paths, listed, strict=True):
                with path.open("rb") as stream:
                    _add(tar, told.name, told.size, stream)
                advance(told.size)
    except OSError as error:
        msg = f"{file}: cannot write the entries there ({why(error)})"
        raise MachineFailed(msg) from error


def unpack(file: Path, root: Path) -> list[Archive]:
    """Put the entries of a parcel where entries wait to be proven, all of them or none, and return them.

    Parameters
    ----------
    file
        The parcel.
    root
        The cache folder.

    Raises
    ------
    UsageProblem
        If the file is no parcel, or anything in it is not as in a parcel: one sentence says what.
    MachineFailed
        If the entries cannot be written.
    """
    try:
        stream = file.open("rb")
    except OSError as error:
        msg = f"{file}: cannot be read ({why(error)})"
        raise UsageProblem(msg) from None
    part = root / IMPORTED / KINDS[0] / f".part-{uuid.uuid4().hex}"
    with stream:
        try:
            _unpack_into(part, stream)
            entries = [_checked(path) for path in sorted(part.rglob("*.npz"))]
            _refuse_strays(part, entries)
            return _landed(entries, root / IMPORTED)
        except Damaged as error:
            msg = f"{file} is refused, and nothing of it is imported: {error}"
            raise UsageProblem(msg) from None
        except OSError as error:
            place = f"{root / IMPORTED} cannot be written to ({why(error)})"
            msg = f"{place}; --cache DIR or ZSGATE_CACHE names another folder"
            raise MachineFailed(msg) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _add(tar: tarfile.TarFile, name: str, size: int, stream: IO[bytes]) -> None:
    """Add a file that carries no owner and no date, so that equal entries make equal parcels."""
    told = tarfile.TarInfo(name)
    told.size = size
    tar.addfile(told, stream)


def _unpack_into(part: Path, stream: IO[bytes]) -> None:
    """Write what a parcel's manifest lists into a folder, and nothing else."""
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            members = tar.getmembers()
            listed = _manifest(tar, members)
    except Damaged:
        raise
    except Exception as error:  # the boundary to a file that anybody may have made
        msg = "it is no parcel of zsgate cache export, or not all of one"
        raise Damaged(msg) from error
    for kind in KINDS:
        make_folder(part / kind)
    with steps("cache: importing", sum(each.size for each in listed.values()), BYTES) as advance:
        for member in members[1:]:
            told = listed[member.name]
            stream.seek(member.offset_data)
            _copy(stream, part / told.name, told)
            advance(told.size)


def _manifest(tar: tarfile.TarFile, members: Sequence[tarfile.TarInfo]) -> dict[str, _Listed]:
    """Return what the manifest lists, which is exactly the other members, all of them plain files."""
    for member in members:
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            msg = f"{member.name!r} is a link, a folder, a device or a file with holes"
            raise Damaged(msg)
    names = [member.name for member in members]
    if not members or names[0] != MANIFEST or members[0].size > MOST_MANIFEST:
        msg = f"it does not begin with its {MANIFEST}"
        raise Damaged(msg)
    stream = tar.extractfile(members[0])
    assert stream is not None  # it is a plain file
    listed = [_Listed(**each) for each in json.loads(stream.read())["files"]]
    for each in listed:
        kind, _, name = str(each.name).partition("/")
        if kind not in KINDS or not (BESIDE.fullmatch(name) or (NAME.fullmatch(name) and name.endswith(".npz"))):
            msg = f"{each.name!r} is no name of an entry"
            raise Damaged(msg)
    sizes = [(member.name, member.size) for member in members[1:]]
    if sorted(sizes) != sorted((each.name, each.size) for each in listed) or len(set(names)) < len(names):
        msg = "its files are not those that its manifest lists"
        raise Damaged(msg)
    return {each.name: each for each in listed}


def _copy(stream: IO[bytes], path: Path, told: _Listed) -> None:
    """Write the next bytes of a stream to a file, and refuse them if they are not those that are told."""
    sha, left = hashlib.sha256(), told.size
    with path.open("xb") as out:
        while left and (piece := stream.read(min(left, PIECE))):
            sha.update(piece)
            out.write(piece)
            left -= len(piece)
    if left or sha.hexdigest() != told.sha256:
        msg = f"{told.name} is not the file that its manifest lists"
        raise Damaged(msg)
    path.chmod(0o644)


def _checked(path: Path) -> Archive:
    """Return an entry that was unpacked, all of it read and checked."""
    try:
        with zipfile.ZipFile(path) as archive:  # compressed, few bytes could fill all memory
            if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
                msg = "it is compressed"
                raise Damaged(msg)
        Archive(path).read()
    except Exception as error:  # the boundary, as above
        msg = f"{path.parent.name}/{path.name} is damaged or not zsgate's ({fault_of(error)})"
        raise Damaged(msg) from error
    return Archive(path)


def _refuse_strays(part: Path, entries: Sequence[Archive]) -> None:
    """Refuse arrays that belong to none of the entries."""
    known: set[Path] = set()
    for entry in entries:
        large = [place for place, told in enumerate(entry.header()["arrays"]) if told["large"]]
        known |= {entry.path, *(entry.path.with_suffix(f".{place}.npy") for place in large)}
    if strays := {path for path in part.rglob("*") if path.is_file()} - known:
        msg = f"{min(strays).name} belongs to no entry"
        raise Damaged(msg)


def _landed(entries: Sequence[Archive], place: Path) -> list[Archive]:
    """Move entries to where they wait; none stays there if one cannot be moved."""
    landed: list[Archive] = []
    try:
        for entry in entries:
            kind = entry.path.parent.name
            make_folder(place / kind)
            landed.append(Archive(place / kind / entry.path.name))
            for path in (*entry.beside(), entry.path):  # an archive last: it says that the arrays beside it are there
                path.replace(place / kind / path.name)
    except OSError:
        for entry in landed:
            entry.remove()
        raise
    return landed
