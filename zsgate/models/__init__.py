"""Models by name. A new one is a module here and a line in this table; a user's own needs neither."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from zsgate.data.file.path import expanded
from zsgate.errors import UsageProblem, unknown
from zsgate.models.device import spelled_out
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.own import FAMILIES

if TYPE_CHECKING:
    from zsgate.models.adapter import Adapter

MODELS: dict[str, str] = {
    "cellama": "zsgate.models.families.cellama.adapter:CELLama",
    **{name: f"zsgate.models.families.{checkpoint.family}.load:load" for name, checkpoint in CHECKPOINTS.items()},
    **{family: f"zsgate.models.families.{family}.load:load" for family in FAMILIES},
}


def load(
    name: str,
    *,
    device: str = "cpu",
    folder: Path | None = None,
    weights: str | Path | None = None,
    offline: bool = False,
    cache: Path | None = None,
    **settings: Any,
) -> Adapter:
    """Return the model that ``name`` means: a packaged one, ``pkg.mod:attr``, or a path to embeddings.

    Parameters
    ----------
    name
        As ``--model`` takes it.
    device
        ``"cpu"`` or ``"cuda"``.
    folder
        Where a relative path or the user's own module is looked for; None is the current folder.
    weights
        Folder of a packaged model's weights; None takes the cache, filled from the official place. Of ``scgpt`` and
        ``geneformer``, which mean weights of one's own, it must be named.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.
    **settings
        What else a packaged model takes: ``dtype``, ``preset``, ``randomness``, ``pooling``; ``draws`` of
        ``pkg.mod:attr``, too.

    Raises
    ------
    UsageProblem
        If nothing of that name is there, it cannot be loaded, or it does not take a setting.
    """
    if name in MODELS:
        if settings.get("dtype") is not None:
            settings["dtype"] = spelled_out(settings["dtype"])
        places = {"weights": weights and expanded(weights), "offline": offline, "cache": cache}
        return _load_packaged(name, device, {key: value for key, value in places.items() if value}, settings)
    draws = settings.pop("draws", None) if ":" in name else None
    for what, value in {"weights": weights, **settings}.items():
        if value is not None:
            msg = f"{what} is for the packaged models ({', '.join(MODELS)}), not for {name!r}"
            raise UsageProblem(msg)
    here = folder or Path.cwd()
    if (path := here / expanded(name.partition("#")[0])).exists():
        from zsgate.models.precomputed.adapter import Precomputed

        return Precomputed(path, key=name.partition("#")[2] or None)
    if "/" in name or path.suffix in (".npy", ".npz", ".h5ad", ".parquet"):
        module, colon, attribute = name.partition(".py:")
        hint = f"; a module is named {module.replace('/', '.')}:{attribute}" if colon else ""
        msg = f"--model {name}: no such file or folder{hint}"
        raise UsageProblem(msg)
    if ":" in name:
        from zsgate.models.user_model import UserModel

        return UserModel(name, device=device, folder=here, draws=draws)
    msg = unknown("model", name, tuple(MODELS)) + "; or pkg.mod:attr, or a path to embeddings"
    raise UsageProblem(msg)


def is_code(name: str, folder: Path) -> bool:
    """Return whether a name means code that computes, and not rows in files, or nothing."""
    return name in MODELS or (":" in name and "/" not in name and not (folder / name.partition("#")[0]).exists())


def _load_packaged(name: str, device: str, places: Mapping[str, object], settings: Mapping[str, object]) -> Adapter:
    """Return a packaged model, made with what it takes; places it has no use for are left out, settings refused."""
    maker = resolve_name(MODELS[name])
    takes = inspect.signature(maker).parameters
    for setting in settings:
        if setting not in takes:
            raise UsageProblem(f"{name}: " + unknown("setting", setting, tuple(takes)))
    given = {key: value for key, value in {"name": name, **places}.items() if key in takes}
    adapter: Adapter = maker(device=device, **given, **settings)
    return adapter
