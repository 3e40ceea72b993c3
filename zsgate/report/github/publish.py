"""Publish: a run writes its summary, annotations and outputs where the runner of GitHub Actions reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from zsgate.report.github.annotations import annotations
from zsgate.report.github.summary import summary
from zsgate.report.record.run import Record


def publish(record: Record, env: Mapping[str, str], stream: TextIO) -> None:
    """Append the summary to the file that ``GITHUB_STEP_SUMMARY`` names; annotate if ``GITHUB_ACTIONS``.

    The outputs ``gate`` and ``exit-code`` of the step go where ``GITHUB_OUTPUT`` says.

    Parameters
    ----------
    record
        What a run found.
    env
        The environment, as in ``os.environ``.
    stream
        Where the runner reads workflow commands, standard output; each goes on a line of its own.

    Raises
    ------
    OSError
        If a file cannot be written to.
    """
    if path := env.get("GITHUB_STEP_SUMMARY"):
        _append(path, summary(record))
    announce(record, env, stream)


def announce(record: Record, env: Mapping[str, str], stream: TextIO) -> None:
    """Annotate and set the step's outputs, as :func:`publish` does, without a summary."""
    if path := env.get("GITHUB_OUTPUT"):
        _append(path, f"gate={record.gate}\nexit-code={record.provenance.exit_code}\n")
    if env.get("GITHUB_ACTIONS") == "true":
        stream.writelines(f"{line}\n" for line in annotations(record))


def _append(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)
