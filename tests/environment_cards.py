"""A small environment that is made in seconds without a network: its one requirement is a wheel on this disk."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

CARD = f"""
upstream = "nowhere"
code_licence = "MIT"
weights_licence = "none"
python = "{sys.version_info.major}.{sys.version_info.minor}"
files = "a number in scale.txt"
stopped = "nothing"

[verified]
end_to_end = true
"""
WORKER = """
import sys
from pathlib import Path

import numpy as np
from zsgate_worker import serve

scale = float(Path(sys.argv[1], "scale.txt").read_text())


def embed(cells):
    return scale * np.log1p(cells.counts[:, :40].toarray())


serve(embed, name="tiny", fingerprint="1", dimensions=40, device=sys.argv[2], code_licence="MIT")
"""


def write_environment(folder: Path, name: str = "tiny") -> Path:
    """Write the card, the requirements and the worker of a model, and return their folder.

    NumPy and h5py are borrowed from the interpreter that runs the test, by the wheel that it requires.
    """
    source = folder / name
    source.mkdir(parents=True)
    (source / "card.toml").write_text(CARD)
    (source / "worker.py").write_text(WORKER)
    (source / "requirements.txt").write_text(f"# Python\nborrowed @ {_write_wheel(folder).as_uri()}\n")
    return source


def _write_wheel(folder: Path) -> Path:
    path, about = folder / "borrowed-1.0-py3-none-any.whl", "borrowed-1.0.dist-info"
    held = {
        "borrowed.pth": "".join(f"{place}\n" for place in sys.path if place.endswith("site-packages")),
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: borrowed\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*held, f"{about}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**held, f"{about}/RECORD": record}.items():
            wheel.writestr(name, text)
    return path
