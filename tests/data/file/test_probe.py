"""A file is tried in another process first, which may crash or never end."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from zsgate.data.file.probe import refuse_unreadable
from zsgate.errors import UsageProblem


@pytest.fixture
def sound(tmp_path):
    """Write a file of everything that is looked at: strings, empty and large arrays, groups that hold themselves."""
    with h5py.File(tmp_path / "sound.h5", "w") as file:
        file["names"] = np.array(["a", "b"], dtype=object)
        file["none"] = h5py.Empty("f4")
        file["number"] = 3
        file.create_dataset("large", (1 << 20, 4), "f8", chunks=(1 << 10, 4))
        file.create_dataset("claimed", (1 << 40,), "f4")
        file.create_group("group").attrs["x"] = [1, 2]
        file["group/again"] = file["/"]
        file["group/elsewhere"] = h5py.ExternalLink("absent.h5", "/")
        file["group/nowhere"] = h5py.SoftLink("/absent")
    return tmp_path / "sound.h5"


def test_a_sound_file_passes(sound):
    """Whatever it holds, and a file that is no HDF5 passes too: whoever reads it is told."""
    refuse_unreadable(sound)
    (sound.parent / "text.h5ad").write_text("cell,gene")
    refuse_unreadable(sound.parent / "text.h5ad")


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"the HDF5 library crashes on it \(signal 11\)"),
        ("import os; os.abort()", r"the HDF5 library crashes on it \(signal 6\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "does not come to an end with it"),
    ],
)
def test_a_crash_is_one_sentence(sound, tmp_path, program, says):
    """And so is a reader that used up its time."""
    visitor = tmp_path / "visitor.py"
    visitor.write_text(program)
    with pytest.raises(UsageProblem, match=f"sound.h5: damaged: .*{says}"):
        refuse_unreadable(sound, str(visitor))


def test_a_file_is_tried_once_until_it_changes(sound, tmp_path):
    """The second look costs nothing; a file that was written anew is tried anew."""
    visitor = tmp_path / "visitor.py"
    visitor.write_text("import sys; open(sys.argv[2] + '.tried', 'a').write('x'); print('[]')")
    for _ in range(3):
        refuse_unreadable(sound, str(visitor))
    tried = sound.with_name("sound.h5.tried")
    assert tried.read_text() == "x"
    with h5py.File(sound, "r+") as file:
        file["more"] = np.zeros(1000)
    refuse_unreadable(sound, str(visitor))
    assert tried.read_text() == "xx"


def test_a_filter_that_is_lacking_is_named(tmp_path):
    """Of an array that is packed with one that HDF5 itself has not: the package that has it."""
    with h5py.File(tmp_path / "packed.h5", "w") as file:
        packing = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        packing.set_chunk((10,))
        packing.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
        h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_INT32, h5py.h5s.create_simple((100,)), packing)
    with pytest.raises(UsageProblem, match=r"packed with filter 32099, .*: pip install hdf5plugin"):
        refuse_unreadable(tmp_path / "packed.h5")


@pytest.mark.parametrize("name", ["Zstd", "Blosc", "LZ4"])
def test_packed_files_are_read_where_the_package_is(tmp_path, name):
    """With hdf5plugin installed nothing is refused."""
    plugin = pytest.importorskip("hdf5plugin")
    with h5py.File(tmp_path / "packed.h5", "w") as file:
        file.create_dataset("x", data=np.arange(1000), **getattr(plugin, name)())
    refuse_unreadable(tmp_path / "packed.h5")
