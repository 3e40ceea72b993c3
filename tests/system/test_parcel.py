"""A parcel is a stranger's file: it lands whole and as it was packed, or nothing of it does, anywhere."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept import KEY, LARGE

from zsgate.cli import main
from zsgate.errors import MachineFailed, UsageProblem
from zsgate.system.store import Store, parcel
from zsgate.system.store.entry import Archive

ENTRY = f"embedding/{'0' * 40}.npz"


@pytest.fixture
def packed(store, small_is_large, tmp_path):
    """Return a parcel of two embeddings, with arrays beside them, and of one proof."""
    store.arrays("embedding", KEY, lambda: LARGE)
    store.arrays("embedding", {**KEY, "who": "pca"}, lambda: ([np.ones((4, 3))], {}))
    store.arrays("proof", {"number": 0}, lambda: ([np.ones(3)], {}))
    file = tmp_path / "sent" / "x.tar"
    parcel.pack([Archive(path) for path in sorted(store.folder.rglob("*.npz"))], file)
    return file


def everything(folder):
    """Return every file below a folder with its content."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()}


def members_of(file):
    """Return (header, content) of each member of a parcel, and its manifest."""
    with tarfile.open(file) as tar:
        found = [(member, tar.extractfile(member).read()) for member in tar]
    return found[1:], json.loads(found[0][1])


def packed_anew(file, members, manifest):
    """Write a parcel of any members and manifest."""
    content = json.dumps(manifest).encode()
    told = tarfile.TarInfo("manifest.json")
    told.size = len(content)
    with tarfile.open(file, "w") as tar:
        tar.addfile(told, io.BytesIO(content))
        for member, held in members:
            tar.addfile(member, None if held is None else io.BytesIO(held))


def refused(file, tmp_path, match):
    """Assert that a parcel is refused in one sentence, and that nothing of it is anywhere."""
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    before = everything(tmp_path)
    with pytest.raises(UsageProblem, match=match) as error:
        parcel.unpack(file, root)
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value)
    assert everything(tmp_path) == before


def test_a_parcel_comes_back_as_it_was(packed, store, tmp_path):
    """Every byte, where entries wait and nowhere else, nobody else's to write to; packed again, it is equal."""
    entries = parcel.unpack(packed, tmp_path / "root")
    assert len(entries) == 3
    sent = {path.relative_to(store.folder): content for path, content in everything(store.folder).items()}
    landed = {path.relative_to(tmp_path / "root"): content for path, content in everything(tmp_path / "root").items()}
    assert landed == {Path("imported") / path: content for path, content in sent.items()}
    found, _ = Store(tmp_path / "root" / "imported").arrays("embedding", KEY, lambda: pytest.fail("not there"))
    np.testing.assert_array_equal(found[1], LARGE[0][1])
    assert not any(path.stat().st_mode & 0o022 for path in (tmp_path / "root" / "imported").rglob("*"))
    assert not Store(tmp_path / "root").has("embedding", KEY)
    again = packed.with_name("y.tar")
    parcel.pack([Archive(path) for path in sorted(store.folder.rglob("*.npz"))], again)
    assert again.read_bytes() == packed.read_bytes()
    assert len(parcel.unpack(packed, tmp_path / "root")) == 3


def strange(kind, name="embedding/x", link="/etc/passwd"):
    """Return a member that is no plain file."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, None


KINDS = {
    "a link": tarfile.SYMTYPE,
    "a hard link": tarfile.LNKTYPE,
    "a device": tarfile.CHRTYPE,
    "a disk": tarfile.BLKTYPE,
    "a pipe": tarfile.FIFOTYPE,
    "a folder": tarfile.DIRTYPE,
    "a file with holes": tarfile.GNUTYPE_SPARSE,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["embedding/x", ENTRY])
def test_nothing_but_plain_files(packed, tmp_path, kind, name):
    """Neither links, through which another file would be written, nor devices nor folders, listed or not."""
    members, manifest = members_of(packed)
    packed_anew(packed, [strange(KINDS[kind], name), *members], manifest)
    refused(packed, tmp_path, "is a link, a folder, a device or a file with holes")
    manifest["files"].append({"name": name, "size": 0, "sha256": hashlib.sha256(b"").hexdigest()})
    packed_anew(packed, [*members, strange(KINDS[kind], name)], manifest)
    refused(packed, tmp_path, "is a link, a folder, a device or a file with holes")


NAMES = [
    *("../x", "/etc/x", "embedding/../../x", f"../{ENTRY}", f"/{ENTRY}", f"./{ENTRY}", f"embedding//{'0' * 40}.npz"),
    *(f"score/{'0' * 40}.json", f"embedding/{'0' * 40}.json", "embedding/x.npz", f"learnt/{'0' * 40}.npz", "", "\n"),
    *(f"embedding/{'0' * 40}.npz\n", f"embedding/{'0' * 40}.0.npy/x", f"embedding/{'0' * 39}/.npz", "embedding\\x.npz"),
    *(f"embedding/.part-{'0' * 34}.npz", f"EMBEDDING/{'0' * 40}.npz", f"embedding/{'٠' * 40}.npz"),
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_but_an_entry_s(packed, tmp_path, name):
    """No path leads out of the folder, and none to what a run trusts."""
    members, manifest = members_of(packed)
    told = tarfile.TarInfo(name)
    told.size = 1
    manifest["files"].append({"name": name, "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()})
    packed_anew(packed, [*members, (told, b"x")], manifest)
    refused(packed, tmp_path, "is no name of an entry|not those that its manifest lists")


def test_the_manifest_lists_exactly_what_is_there(packed, tmp_path):
    """Nothing more, nothing less, nothing twice, with its size and digest, the manifest itself first."""
    members, manifest = members_of(packed)
    (first, content), *others = members
    wrong = "not those that its manifest lists"
    for changed, size in ((others, 0), ([*members, members[0]], 0), ([(first, content + b"x"), *others], 1)):
        first.size = len(content) + size
        packed_anew(packed, changed, manifest)
        refused(packed, tmp_path, wrong)
    first.size = len(content)
    packed_anew(packed, [(first, bytes(len(content))), *others], manifest)
    refused(packed, tmp_path, "is not the file that its manifest lists")
    packed_anew(packed, members, {"files": manifest["files"] + manifest["files"][:1]})
    refused(packed, tmp_path, wrong)
    for other in ({}, [], {"files": [1]}, {"files": [{"name": ENTRY}]}, {"files": 1}, None):
        packed_anew(packed, members, other)
        refused(packed, tmp_path, "it is no parcel|not those that")
    with tarfile.open(packed, "w") as tar:
        for member, held in members:
            tar.addfile(member, io.BytesIO(held))
    refused(packed, tmp_path, "does not begin with its manifest")


def listed(members):
    """Return the manifest of members."""
    files = [{"name": m.name, "size": len(held), "sha256": hashlib.sha256(held).hexdigest()} for m, held in members]
    return {"files": files}


def with_content(members, suffix, content):
    """Return members, the first of which with a suffix has other content; and how the manifest lists it."""
    changed = []
    for member, held in members:
        is_it = member.name.endswith(suffix) and content is not None
        member.size = len(content if is_it else held)
        changed.append((member, content if is_it else held))
        content = None if is_it else content
    return changed, listed(changed)


def zipped(arrays, compression=zipfile.ZIP_STORED):
    """Return an archive of raw members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in arrays.items():
            archive.writestr(name, content)
    return out.getvalue()


class Bomb:
    """What pickle would run."""

    def __reduce__(self):
        """Return a call that leaves a trace."""
        return os.mkdir, ("ran",)


def test_what_the_manifest_vouches_for_is_read_and_checked(packed, tmp_path, monkeypatch):
    """Its digests are the sender's: archives of something else, compressed, pickled, or of another name are refused."""
    monkeypatch.chdir(tmp_path)
    members, _ = members_of(packed)
    pickled = io.BytesIO()
    np.lib.format.write_array(pickled, np.array([None]), allow_pickle=True)
    bomb = pickled.getvalue()[:-20] + pickle.dumps(Bomb())
    for content in (
        b"",
        b"x" * 100,
        zipped({"entry.npy": b"x"}),
        zipped({"entry.npy": bomb, "arr_0.npy": bomb}),
        zipped({"arr_0.npy": bytes(10_000_000)}, zipfile.ZIP_DEFLATED),
    ):
        packed_anew(packed, *with_content(members, ".npz", content))
        refused(packed, tmp_path, "is damaged or not zsgate's")
    assert not Path("ran").exists()
    archives = [held for member, held in members if member.name.endswith(".npz")]
    packed_anew(packed, *with_content(members, ".npz", archives[1]))
    refused(packed, tmp_path, "is damaged or not zsgate's")
    packed_anew(packed, *with_content(members, ".npy", members[0][1][:50]))
    refused(packed, tmp_path, "is damaged or not zsgate's")


def test_arrays_of_no_entry_are_refused(packed, tmp_path):
    """Room that nothing would ever free, or arrays for an entry to come."""
    members, _ = members_of(packed)
    told = tarfile.TarInfo(f"embedding/{'0' * 40}.0.npy")
    told.size = 1
    packed_anew(packed, [*members, (told, b"x")], listed([*members, (told, b"x")]))
    refused(packed, tmp_path, "belongs to no entry")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_parcel_is_refused_or_whole(packed, tmp_path, data):
    """Bytes changed anywhere, cut or longer: nothing lands, or every entry as it was."""
    content = packed.read_bytes()
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1) | st.integers(0, 5000))
        changed[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.none() | st.integers(0, len(content)))
    file = tmp_path / "y.tar"
    file.write_bytes(bytes(changed[:end]) + data.draw(st.binary(max_size=20)))
    root = tmp_path / "root"
    try:
        entries = parcel.unpack(file, root)
    except UsageProblem:
        assert not everything(root)
        return
    assert len(entries) == 3
    for entry in entries:
        entry.read()
        entry.remove()
    assert everything(root) == {}


def test_what_is_no_tar_is_refused(tmp_path, packed):
    """Nothing, text, a compressed tar, a folder, an absent file: one sentence, exit 4 as typed."""
    import gzip

    for name, content in {"a": b"", "b": b"text" * 999, "c": gzip.compress(packed.read_bytes())}.items():
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, tmp_path, "is refused, and nothing of it is imported")
    refused(tmp_path / "absent", tmp_path, "cannot be read")
    refused(packed.parent, tmp_path, "cannot be read")
    assert main(["cache", "import", str(tmp_path / "b"), "--cache", str(tmp_path / "cache")]) == 4


def test_a_folder_that_cannot_be_written_to_is_the_machine_s(packed, tmp_path):
    """A file in its place stands for any reason; and so it is of a parcel that cannot be written."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "imported").write_text("")
    with pytest.raises(MachineFailed, match=rf"{root}/imported cannot be written to \(.*--cache DIR"):
        parcel.unpack(packed, root)
    with pytest.raises(MachineFailed, match="cannot write the entries there"):
        parcel.pack([], root / "imported" / "x.tar")
