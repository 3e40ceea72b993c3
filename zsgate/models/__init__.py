"""Models by name. A new one is a module here and a line in this table; a user's own needs neither."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from zsgate.config import unknown
from zsgate.errors import UsageProblem

if TYPE_CHECKING:
    from zsgate.models.adapter import Adapter

MODELS = {
    "cellama": "zsgate.models.cellama:CELLama",
}


def load(name: str, *, device: str = "cpu", folder: Path | None = None) -> Adapter:
    """Return the model that ``name`` means: a packaged one, ``pkg.mod:attr``, or a path to embeddings.

    Parameters
    ----------
    name
        As ``--model`` takes it.
    device
        ``"cpu"`` or ``"cuda"``.
    folder
        Where a relative path or the user's own module is looked for; None is the current folder.

    Raises
    ------
    UsageProblem
        If nothing of that name is there, or it cannot be loaded.
    """
    if name in MODELS:
        adapter: Adapter = resolve_name(MODELS[name])(device=device)
        return adapter
    here = folder or Path.cwd()
    if (path := here / Path(name.partition("#")[0]).expanduser()).exists():
        from zsgate.models.precomputed import Precomputed

        return Precomputed(path, key=name.partition("#")[2] or None)
    if ":" in name:
        from zsgate.models.external import External

        return External(name, device=device, folder=here)
    msg = unknown("model", name, tuple(MODELS)) + "; or pkg.mod:attr, or a path to embeddings"
    raise UsageProblem(msg)
