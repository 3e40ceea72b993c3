"""Words of a plan: all of it, or three lines where a run will take long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from zsgate.run.before.steps import Plan, Size, Step
from zsgate.system.download import SPEED
from zsgate.system.progress import duration

LONG = 120.0  # seconds from which what is ahead is said without being asked


def brief(plan: Plan, budget: float | None = None) -> list[str]:
    """Return three lines on what is ahead; none where that is about two minutes or less.

    Parameters
    ----------
    plan
        What is ahead.
    budget
        Seconds that the run may take; where that is too short, another line says how it will end.
    """
    seconds = plan.seconds + _download_seconds(plan)
    short = [] if budget is None or seconds <= budget else [_too_short(budget, seconds)]
    if seconds <= LONG:
        return short
    longest: Counter[str] = Counter()
    for step in plan.ahead:
        longest["scores" if step.rate == "score" else step.what] += round(step.seconds or 0)
    parts = ", ".join(f"{what} {duration(taken)}" for what, taken in longest.most_common(4) if taken)
    kept = [step for step in plan.steps if step.what.startswith("embed ")]
    of = f"{sum(step.kept for step in kept)} of {len(kept)} embeddings are in the store"
    return [
        f"zsgate: about {duration(seconds)} ahead{_unknown(plan)}: {parts}",
        f"zsgate: {of}; downloads: {_downloads(plan)}",
        f"zsgate: memory: about {plan.memory / 1e9:.1f} GB; --plan says all of it and runs nothing",
        *short,
    ]


def _too_short(budget: float, seconds: float) -> str:
    return (
        f"zsgate: --budget is {duration(budget)} and about {duration(seconds)} are ahead: what decides comes first, "
        "and the run will end as incomplete (exit 3); what it computes is kept for the next one"
    )


def whole(plan: Plan, nodeids: Sequence[str] = ()) -> list[str]:
    """Return the lines of ``--plan``; with node ids, these as well."""
    return list(_whole(plan, nodeids))


def _whole(plan: Plan, nodeids: Sequence[str]) -> Iterator[str]:
    yield f"tests: {len(plan.asked)}"
    yield from (f"  {nodeid}" for nodeid in nodeids)
    for dataset, size in plan.sizes.items():
        suites = Counter(each.suite for each in plan.asked if each.dataset == dataset)
        tests = ", ".join(f"{number} {suite.replace('_', ' ')}" for suite, number in suites.items())
        yield ""
        yield f"{dataset}: {_cells(size)}; tests: {tests}"
        rows = [
            (_named(step), "in the store" if step.kept else "to make", _time(step)) for step in plan.steps_of(dataset)
        ]
        width = max((len(what) for what, _, _ in rows), default=0)
        yield from (f"  {what:<{width}}  {state:<12}  {time}".rstrip() for what, state, time in rows)
    yield ""
    yield f"downloads: {_downloads(plan)}"
    yield from (f"  {name}: {_size(n_bytes)}" for name, n_bytes in plan.downloads)
    yield f"memory: about {plan.memory / 1e9:.1f} GB"
    guessed = any(step.seconds and not step.measured for step in plan.ahead)
    source = "by a table of another machine where no run has measured it here" if guessed else "as measured here"
    yield f"in all: about {duration(plan.seconds + _download_seconds(plan))}{_unknown(plan)}, {source}"


def _cells(size: Size) -> str:
    if size.scored is None:
        return "number of cells not known before its file is here"
    of = "" if size.of in (None, size.scored) else f" of {size.of:,}"
    return f"{size.scored:,}{of} cells"


def _named(step: Step) -> str:
    return step.what if step.times == 1 else f"{step.what}, {step.times} times"


def _time(step: Step) -> str:
    if step.kept:
        return ""
    if step.seconds is None:
        return "not measured yet"
    return f"about {duration(step.seconds)}" + (", measured" if step.measured else "")


def _downloads(plan: Plan) -> str:
    if not plan.downloads:
        return "none"
    total = sum(n_bytes or 0 for _, n_bytes in plan.downloads)
    unknown = sum(n_bytes is None for _, n_bytes in plan.downloads)
    also = f" and {unknown} of unpublished size" if unknown else ""
    return f"{_size(total)}{also}, about {duration(_download_seconds(plan))} at {SPEED / 1e6:.0f} MB/s"


def _download_seconds(plan: Plan) -> float:
    return sum(n_bytes or 0 for _, n_bytes in plan.downloads) / SPEED


def _size(n_bytes: int | None) -> str:
    return (
        "size not published"
        if n_bytes is None
        else f"{n_bytes / 1e9:.2f} GB"
        if n_bytes >= 1e7
        else f"{n_bytes:,} bytes"
    )


def _unknown(plan: Plan) -> str:
    """Return in words which steps are not in the sum."""
    names = dict.fromkeys(step.what for step in plan.ahead if step.seconds is None)
    return f" and what nobody has measured ({', '.join(names)})" if names else ""
