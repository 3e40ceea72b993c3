"""Together: whether shards are of one run, and whether all of it is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from zsgate.report.record import WaiverTerms
from zsgate.report.words import counted, joined
from zsgate.run.findings.shards.shard import Shard

# settings that shards of one run may have each their own: which cells, where things lie, and what a process may take
APART = frozenset(
    (
        *("datasets", "own", "label", "batch", "donor", "counts", "scope", "not_labels", "mirror"),
        *("report", "no_maps", "cache", "cache_shared", "fresh", "offline", "gpu", "isolation", "timeout", "memory"),
    )
)
LONGEST = 80  # characters of a value in a sentence


def foreign(shards: Sequence[Shard]) -> str:
    """Return in what two shards differ that makes them parts of different runs, or an empty string.

    Parameters
    ----------
    shards
        At least one. Of a shard that could not start only commit and version are known.
    """
    first: dict[str, tuple[str, object]] = {}
    for shard in shards:
        for what, value in _facts(shard):
            name, known = first.setdefault(what, (shard.name, value))
            if known != value:
                return f"{what} differs: {_short(known)} in {name}, {_short(value)} in {shard.name}"
    return ""


def _facts(shard: Shard) -> Iterator[tuple[str, object]]:
    """Yield what must be equal in all shards, each as (what, value)."""
    record, source = shard.record, shard.record.provenance
    yield "the commit", source.git
    yield "the version of zsgate", source.zsgate
    if shard.is_bare:
        return
    yield "the model", record.model
    yield "the weights", None if record.model_card is None else record.model_card.weights
    yield "the card of the model", record.model_card
    yield "the recipe", f"{record.recipe.id}:{record.recipe.hash}"
    yield "the policy", record.policy
    yield "the datasets that the project judges on", record.selection.datasets
    yield "what left out tests", record.selection.left_out_by
    terms = WaiverTerms.__struct_fields__
    yield "the waivers", tuple(tuple(getattr(waiver, name) for name in terms) for waiver in record.waivers)
    yield "the settings", _settings(shard)
    code = [(Path(name).name, version) for name, version in source.plugins.items() if version.startswith("sha256 ")]
    yield "the code of conftests and modules with hooks", sorted(code)  # wherever a runner checks the project out


def _settings(shard: Shard) -> dict[str, str]:
    """Return the settings in force that shards share; paths count from the folder of the settings file."""
    source = shard.record.provenance
    folder = "" if source.settings_file is None else str(Path(source.settings_file).parent)
    shared = {name: value for name, value in source.options.items() if name not in APART}
    return {name: value.replace(folder, ".") if len(folder) > 1 else value for name, value in shared.items()}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def absent(shards: Sequence[Shard], datasets: Sequence[str] | None, n_shards: int | None) -> Iterator[str]:
    """Yield what of the whole run is missing, there twice, or more than was asked for, each in one sentence.

    Parameters
    ----------
    shards
        What is there.
    datasets
        Names of the datasets that were to be judged on; None takes what the project judges on, unless the number of
        shards says what is whole.
    n_shards
        Number of shards that there were to be; None counts none.
    """
    places: dict[str, list[str]] = {}
    for shard in shards:
        for name in shard.datasets:
            places.setdefault(name, []).append(shard.name)
    for name, there in places.items():
        if len(there) > 1:
            yield f"incomplete: {name} is in {counted(len(there), 'shard')}, {joined(there)}"
    if n_shards is not None and n_shards != len(shards):
        yield f"incomplete: {counted(len(shards), 'shard')}, and {n_shards} were to be"
    asked = [name for shard in shards for name in shard.asked]
    missing = [name for name in dict.fromkeys((*_due(shards, datasets, n_shards), *asked)) if name not in places]
    if missing:
        yield f"incomplete: no shard judged on {joined(missing)}"
    if datasets is not None and (more := [name for name in places if name not in datasets]):
        yield f"incomplete: {joined(more)} was judged on and is not among what was asked for"


def _due(shards: Sequence[Shard], datasets: Sequence[str] | None, n_shards: int | None) -> Sequence[str]:
    if datasets is not None:
        return datasets
    if n_shards is not None or all(shard.record.tier for shard in shards):  # a tier was judged on whole
        return ()
    return [name for shard in shards for name in shard.record.selection.datasets]
