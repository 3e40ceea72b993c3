"""The import of a user's own model, whose code may fail, or exit, in any way."""

from __future__ import annotations

import inspect
import sys
import traceback
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from zsgate.errors import UsageProblem, nearest


def import_model(name: str, device: str, folder: Path | None) -> Any:
    """Return the object that ``pkg.mod:attr`` names; of a class, one that is made with ``device`` or nothing.

    Parameters
    ----------
    name
        ``pkg.mod:attr``.
    device
        ``"cpu"`` or ``"cuda"``.
    folder
        Put on the import path, as ``python -m`` would; None is the current one.

    Raises
    ------
    UsageProblem
        If it cannot be imported or made, or cannot embed.
    """
    here = str(folder or Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = resolve_name(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the boundary to code that is not ours: a module may fail, or exit, in any way
        near = _nearest_attribute(name) if isinstance(error, AttributeError) else None
        hint = f"did you mean {near!r}?" if near else "is the package installed, or pytest started in its folder?"
        msg = f"--model {name}: cannot import it ({_describe_error(error)}); {hint}"
        raise UsageProblem(msg) from error
    try:
        model = _make(found, device) if inspect.isclass(found) else found
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # and so may a class
        msg = f"--model {name}: cannot make one ({_describe_error(error)}); it is called with device or nothing"
        raise UsageProblem(msg) from error
    if not callable(model) and not hasattr(model, "embed"):
        msg = f"--model {name}: an object of type {type(model).__name__} neither can be called nor has embed(adata)"
        raise UsageProblem(msg)
    return model


def _nearest_attribute(name: str) -> str | None:
    """Return ``pkg.mod:attr`` with the attribute of the module that looks most like the one named, or None."""
    module, _, attribute = name.partition(":")
    if module not in sys.modules:
        return None
    public = [each for each in vars(sys.modules[module]) if not each.startswith("_")]
    near = nearest(attribute.split(".")[0], public, cutoff=0.6)
    return near and f"{module}:{near}"


def _make(kind: type, device: str) -> Any:
    try:
        takes_device = "device" in inspect.signature(kind).parameters
    except ValueError:  # a class of C code says nothing
        takes_device = False
    return kind(device=device) if takes_device else kind()


def _describe_error(error: BaseException) -> str:
    """Return an error in one line, with the place it comes from."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = "" if place.filename.startswith("<frozen") else f", {Path(place.filename).name}:{place.lineno}"
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"
