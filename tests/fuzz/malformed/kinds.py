"""The kinds of input that are fuzzed, by name."""

from __future__ import annotations

from malformed.cells import cases as cells
from malformed.checkpoints import cases as checkpoints
from malformed.embeddings import cases as embeddings
from malformed.kind import Kind
from malformed.settings import cases as settings
from malformed.verdicts import cases as verdicts

KINDS = {
    each.name: each
    for each in (
        Kind("AnnData", cells.cases, cells.check, apart=True),
        Kind("embeddings", embeddings.cases, embeddings.check, apart=True),
        Kind("checkpoints", checkpoints.cases, checkpoints.check, apart=True, prepare=checkpoints.prepare),
        Kind("pyproject.toml", settings.cases, settings.check, apart=False),
        Kind("verdict.json", verdicts.cases, verdicts.check, apart=False),
    )
}
