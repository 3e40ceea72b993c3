"""Where a run's numbers are from: model, recipe, baselines, metrics, the time each step took, and provenance."""

from __future__ import annotations

from typing import Literal

import msgspec

from zsgate.report.record.entry import Count, Entry


class ModelCard(Entry, frozen=True, kw_only=True):
    """The candidate, as its adapter describes it.

    Attributes
    ----------
    name
        Its name.
    citation
        Paper or page that defines it.
    code_licence, weights_licence
        SPDX identifiers or plain words.
    weights
        (file name, sha256) of what was loaded; null marks a hash that no source states.
    dimensions
        Width of the embedding.
    stochastic
        Whether embedding draws random numbers.
    independent_cells
        Whether a cell's embedding ignores the other cells it is embedded with.
    trains_on_target
        Whether the dataset itself is trained on.
    pretraining
        Names of datasets known to be in the pretraining data; null is unknown.
    notes
        Remarks.
    gene_ids
        What the model knows genes by.
    """

    name: str
    citation: str = ""
    code_licence: str = "unknown"
    weights_licence: str = "unknown"
    weights: tuple[tuple[str, str | None], ...] = ()
    dimensions: Count | None = None
    stochastic: bool | None = None
    independent_cells: bool | None = None
    trains_on_target: bool | None = None
    pretraining: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    gene_ids: Literal["symbol", "ensembl", "any"] = "any"


class RecipeRecord(Entry, frozen=True, kw_only=True):
    """How scores were made.

    Attributes
    ----------
    id
        Its name.
    hash
        Digest of its settings; scores of different hashes cannot be compared.
    settings
        Everything that the hash covers.
    """

    id: str = ""
    hash: str = ""
    settings: dict[str, object] = msgspec.field(default_factory=dict)


class BaselineRecord(Entry, frozen=True, kw_only=True):
    """How a baseline was made.

    Attributes
    ----------
    name
        Which one.
    dataset
        Of which dataset.
    notes
        What its maker says of it.
    """

    name: str
    dataset: str | None = None
    notes: dict[str, object] = msgspec.field(default_factory=dict)


class MetricRecord(Entry, frozen=True, kw_only=True):
    """What a metric measures, in words.

    Attributes
    ----------
    name
        Its name.
    card
        Its description.
    claim
        What it is about: cell types, batches, genes, hidden genes, robustness.
    """

    name: str
    card: str = ""
    claim: str = ""


class TimingRecord(Entry, frozen=True, kw_only=True):
    """What one step took.

    Attributes
    ----------
    what
        The step.
    dataset
        Of which dataset.
    seconds
        Its duration in seconds.
    cached
        Whether its result was in the store.
    who
        What was embedded, the candidate or a baseline; empty for another step.
    notes
        What its maker says of it.
    """

    what: str
    dataset: str | None = None
    seconds: float | None = None
    cached: bool = False
    who: str = ""
    notes: dict[str, object] = msgspec.field(default_factory=dict)


class Provenance(Entry, frozen=True, kw_only=True):
    """What a run ran on, for whoever wants to repeat it.

    Attributes
    ----------
    zsgate, python
        Versions.
    platform, device
        Operating system, and processor or GPU.
    packages
        Versions by name of the package.
    command
        What was typed.
    started
        When, in ISO 8601.
    seconds
        How long the run took.
    git
        Commit of the folder it was started in; null outside a repository.
    settings_file
        The pyproject.toml whose settings count; null where none has any.
    options
        Settings in force that are not their defaults, wherever they were said.
    plugins
        What else has hooks in the run: plugins by name with version, conftests and modules by path with digest.
    exit_code
        Of pytest; null while the run goes on.
    exit_reason
        Why it ended so.
    """

    zsgate: str = ""
    python: str = ""
    platform: str = ""
    device: str = ""
    packages: dict[str, str] = msgspec.field(default_factory=dict)
    command: str = ""
    started: str = ""
    seconds: float | None = None
    git: str | None = None
    settings_file: str | None = None
    options: dict[str, str] = msgspec.field(default_factory=dict)
    plugins: dict[str, str] = msgspec.field(default_factory=dict)
    exit_code: int | None = None
    exit_reason: str = ""
