"""The step summary: Markdown below GitHub's limit, what went wrong first."""

from zsgate.report.github import markdown
from zsgate.report.github.markdown import literal
from zsgate.report.github.severity import control_words, failure_words, severity
from zsgate.report.record.run import Record
from zsgate.report.record.verdict import missed
from zsgate.report.sentence import headline

LIMIT = 200_000  # bytes; GitHub drops a summary above 1024 kB whole, and other steps write there too


def summary(record: Record) -> str:
    """Return Markdown below 200 kB: the sentence why, what went wrong, the worst tests first, the matrix."""
    lines = [f"## {literal(record.model or 'zsgate')}: {record.gate}", "", literal(headline(record)), ""]
    lines += _listed("Controls that failed", [control_words(c) for c in record.controls if not c.passed])
    lines += _listed("Tests without a verdict", [failure_words(f) for f in record.failures])
    worst = sorted(missed(record.verdicts), key=severity)
    if worst:
        lines += ["### Tests that did not pass, from the worst on", "", *markdown.table(worst), ""]
    lines += markdown.matrices(record)
    skipped = [f"{n.what} on {n.dataset or 'every dataset'}: {n.reason}" for n in record.not_tested]
    lines += _listed("Not tested", skipped)
    return markdown.within(lines, LIMIT)


def _listed(title: str, rows: list[str]) -> list[str]:
    return [f"### {title}", "", *(f"- {literal(row)}" for row in rows), ""] if rows else []
