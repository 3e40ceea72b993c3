"""Exposure: whether a model saw a dataset in pretraining, as far as anybody says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zsgate.data.leakage.fingerprints import Evidence

Status = Literal["seen", "not seen", "unknown"]
ACTIONS = ("report", "fail")  # what --leakage may say


@dataclass(frozen=True, slots=True)
class Exposure:
    """Whether a model saw a dataset.

    Attributes
    ----------
    status
        ``"seen"``, ``"not seen"`` or ``"unknown"``; what nobody states is unknown, never "not seen".
    source
        Who says so.
    """

    status: Status
    source: str


def exposure(
    dataset: str,
    *,
    declared: Collection[str] | None,
    published: tuple[Status, str] | None,
    stated: Sequence[str] | None,
    evidence: Evidence | None = None,
) -> Exposure:
    """Return whether a model saw a dataset, and who says so.

    The first of these that says anything counts: cells found in the corpus, the dataset's card where it says "seen",
    the user, the dataset's card, the model's card, no cell found in the corpus.

    Parameters
    ----------
    dataset
        Its name.
    declared
        Names of all datasets that the user says the model was pretrained on; None where the user says nothing.
    published
        ``(status, who says so)`` of the dataset's card for this model, or None.
    stated
        Names of datasets that the model's own card says are in its pretraining data. Empty: no dataset is, so it was
        not seen. None: the card says nothing. A list of some need not be complete, so a dataset that is not on it
        stays unknown.
    evidence
        How many of its cells are in the model's corpus, or None if nobody looked.
    """
    if evidence is not None and evidence.seen:
        return Exposure("seen", str(evidence))
    if published is not None and published[0] == "seen":
        return Exposure(*published)
    if declared is not None:
        return Exposure("seen" if dataset in declared else "not seen", "declared in pyproject.toml")
    if published is not None:
        return Exposure(*published)
    if stated is not None and (dataset in stated or not stated):
        return Exposure("seen" if dataset in stated else "not seen", "the model's card")
    if evidence is not None:
        return Exposure("not seen", str(evidence))
    return Exposure("unknown", "no source says whether it was in the pretraining data")


def objection(found: Exposure, action: str) -> str:
    """Return why a verdict on a dataset that was seen does not pass, or an empty string."""
    if action == "fail" and found.status == "seen":
        return f"it was in the model's pretraining data ({found.source}), so zero-shot is not what was measured"
    return ""


def sentences(exposures: Mapping[str, Exposure], model: str) -> list[str]:
    """Return what a reader must know: a sentence for each dataset that was seen, and one for those not known."""
    seen = [
        f"{model} saw {name} in pretraining ({found.source}): a verdict on it is not zero-shot on new data."
        for name, found in exposures.items()
        if found.status == "seen"
    ]
    unknown = [name for name, found in exposures.items() if found.status == "unknown"]
    if unknown:
        seen.append(f"Whether {model} saw {', '.join(unknown)} in pretraining is not known.")
    return seen
