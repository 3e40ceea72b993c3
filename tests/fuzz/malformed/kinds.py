"""The kinds of input that are fuzzed, by name."""

from __future__ import annotations

from malformed.kind import Kind
from malformed import anndata_files, checkpoints, embeddings, settings, verdicts

KINDS = {
    each.name: each
    for each in (
        Kind("AnnData", anndata_files.cases, anndata_files.check, apart=True),
        Kind("embeddings", embeddings.cases, embeddings.check, apart=True),
        Kind("checkpoints", checkpoints.cases, checkpoints.check, apart=True, prepare=checkpoints.prepare),
        Kind("pyproject.toml", settings.cases, settings.check, apart=False),
        Kind("verdict.json", verdicts.cases, verdicts.check, apart=False),
    )
}
