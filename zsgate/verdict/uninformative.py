"""Uninformative tests: datasets on which a baseline is no better than noise, or as good as the labels themselves.

To beat such a baseline there says nothing. A control that wins where it must lose, or an oracle that loses, breaks the
gate. Noise that is only not shown to lose, while the oracle wins, breaks nothing: the dataset has too few cells or
donors, or the baseline carries no signal. Nor does an oracle that is not shown to beat a baseline as good as the labels
themselves: there is no room above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from zsgate.report.record import ControlRecord, Outcome, VerdictRecord

DEAD = {"noise": "pure noise", "shuffled": "its own rows in random order"}
COPY, COPIED = "identity_copy", "a copy of what is shown"  # needs no oracle: it is judged on the genes themselves
WHY = "too few cells or donors, or a baseline without signal"
NO_ROOM = "no room"  # what an oracle got where the baseline is above CEILING
CEILING = 0.9  # of 1, the most that the metrics of oracles can be
UNSURE = {("loses", "inconclusive"), ("beats", NO_ROOM)}  # what a control had to do and did, where no gate is broken

Test = tuple[str, str | None, str]  # dataset, baseline, metric


def find(controls: Iterable[ControlRecord]) -> dict[Test, str]:
    """Return the tests that say nothing, each with a sentence why.

    Parameters
    ----------
    controls
        Of the whole run. Noise counts only where an oracle won on the dataset, and none failed.
    """
    known = list(controls)
    oracles = [each for each in known if each.control == "oracle"]
    won = {each.dataset for each in oracles if each.passed}
    failed = {each.dataset for each in oracles if not each.passed and not is_unsure(each)}
    found = {}
    for each in known:
        if not is_unsure(each) or (each.dataset in failed and each.control != COPY):
            continue
        if each.control == "oracle":
            found[test_of(each)] = (
                f"on {each.dataset} {each.baseline} is as good by {each.metric} as the labels themselves, so nothing "
                "can beat it there"
            )
        elif each.dataset in won or each.control == COPY:
            what = DEAD.get(each.control, COPIED)
            found[test_of(each)] = (
                f"on {each.dataset} {each.baseline} cannot be told from {what} by {each.metric} ({WHY}), so to beat it "
                "there does not count"
            )
    for each in known:  # of a metric that decides nothing: a control that fails says that it cannot be used
        if each.advisory and not each.passed and test_of(each) not in found:
            found[test_of(each)] = f"on {each.dataset} {each.metric} cannot be used: {each.sentence}"
    return found


def annotate(control: ControlRecord, found: Mapping[Test, str]) -> ControlRecord:
    """Return a control with ``too_little``: whether it shows that a test says nothing, and so breaks no gate."""
    excused = test_of(control) in found and is_unsure(control)
    return replace(control, too_little=excused, passed=control.passed or excused)


def withdraw(verdict: VerdictRecord, found: Mapping[Test, str]) -> VerdictRecord:
    """Return a verdict, inconclusive if it passed in a test that says nothing; any other as it is."""
    said = found.get(test_of(verdict))
    if said is None or not verdict.passed:
        return verdict
    return replace(
        verdict,
        passed=False,
        outcome=Outcome.INCONCLUSIVE,
        withdrawn=said,
        reason="; ".join(filter(None, (verdict.reason, said))),
        sentence=f"{verdict.sentence}; {said}",
    )


def test_of(entry: VerdictRecord | ControlRecord) -> Test:
    """Return dataset, baseline and metric of a verdict or control."""
    return entry.dataset, entry.baseline, entry.metric


def is_unsure(control: ControlRecord) -> bool:
    """Return whether a control was merely not shown to do what it must."""
    return control.control in (*DEAD, COPY, "oracle") and (control.expected, control.got) in UNSURE
