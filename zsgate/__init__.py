"""zsgate: acceptance tests for single-cell foundation models, as a pytest plugin."""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["Comparison", "Dataset", "Embedding", "ModelInfo", "Reconstruction", "Score", "Verdict", "judge", "progress"]
_HOMES = {  # imported when asked for: every pytest run of the environment imports this file
    "Comparison": "zsgate.run.notebook.comparison",
    "Dataset": "zsgate.data.dataset",
    "Embedding": "zsgate.models.embedding",
    "ModelInfo": "zsgate.models.adapter",
    "Reconstruction": "zsgate.models.reconstruction",
    "Score": "zsgate.verdict.score",
    "Verdict": "zsgate.verdict.verdict",
    "judge": "zsgate.run.notebook.judge",
    "progress": "zsgate.system.progress",
}


def __getattr__(name: str) -> object:
    """Return a public name from the module that defines it."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    """Return what is public."""
    return [*__all__, "__version__"]
