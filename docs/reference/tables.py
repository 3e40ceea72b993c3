"""Tables of the reference made from the code: ``python docs/reference/tables.py`` writes them into their pages.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``. A test holds the pages against the code.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import msgspec

from zsgate.cli import _parser
from zsgate.config.config import Config
from zsgate.plugin.options import HELP, SWITCHES
from zsgate.report.schema import text

PAGES = ("command_line.md", "settings.md", "verdict_json.md")
MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", flags=re.DOTALL)


def options() -> str:
    """Return the options of ``pytest`` that start and steer a run."""
    typed = {name: name if name in SWITCHES else f"{name} {name.upper()}" for name in HELP}
    rows = sorted((f"`--{typed[name]}`", about) for name, about in HELP.items())
    return _table(("option", "what it does"), rows)


def commands() -> str:
    """Return the commands of ``zsgate``, each with its arguments."""
    return "\n".join(_commands(_parser(), "zsgate"))


def _commands(parser: argparse.ArgumentParser, path: str) -> Iterator[str]:
    below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    for each in below:
        for choice, about in zip(each.choices, each._choices_actions, strict=True):
            nested = each.choices[choice]
            yield f"{'###' if path != 'zsgate' else '##'} `{path} {choice}`\n\n{_sentence(about.help or '')}\n"
            yield from _commands(nested, f"{path} {choice}")
    rows = [
        (f"`{', '.join(each.option_strings) or each.metavar or each.dest}`", (each.help or "").replace("%%", "%"))
        for each in parser._actions
        if each not in below and each.dest not in ("help", "version")
    ]
    if rows:
        yield _table(("argument", "what it is"), rows) + "\n"


def settings() -> str:
    """Return the settings of a run, with what sets them."""
    said = dict(_attributes(Config))
    rows = []
    for each in fields(Config):
        if each.name in ("typed", "usual", "pyproject"):
            continue
        option = each.name.replace("_", "-")
        typed = f"`--{option}`" if option in HELP else ""
        rows.append((f"`{each.name}`", typed, said[each.name]))
    return _table(("setting", "option", "what it is"), rows)


def _attributes(kind: type) -> Iterator[tuple[str, str]]:
    """Yield name and description of what a docstring in numpydoc's format says of attributes."""
    _, _, section = (inspect.getdoc(kind) or "").partition("Attributes\n----------\n")
    for names, words in re.findall(r"(?m)^(\w[\w, ]*)\n((?: {4}.*\n?)+)", section):
        for name in names.split(", "):
            yield name, " ".join(words.split()).replace("``", "`")


def fields_of_verdict() -> str:
    """Return the fields of verdict.json, record by record."""
    schema = msgspec.json.decode(text())
    kinds = dict(schema["$defs"])
    first = ("Record", "VerdictRecord")
    parts = []
    for name in (*first, *(each for each in kinds if each not in first)):
        node = kinds[name]
        parts.append(f"## {name}\n\n{node.get('description', '').replace('``', '`')}\n")
        rows = [
            (f"`{key}`", _kind(value), value.get("description", "").replace("``", "`"))
            for key, value in node.get("properties", {}).items()
        ]
        parts.append(_table(("field", "type", "what it is"), rows) + "\n" if rows else _choices(node))
    return "\n".join(parts)


def _choices(node: dict[str, object]) -> str:
    chosen = node.get("enum", [])
    assert isinstance(chosen, list)
    return "One of " + ", ".join(f"`{each}`" for each in chosen) + ".\n"


def _kind(node: dict[str, object]) -> str:
    """Return the type of a field in words; that of a record is its name."""
    if "$ref" in node:
        return str(node["$ref"]).rpartition("/")[2]
    for key in ("anyOf", "allOf"):
        if isinstance(several := node.get(key), list):
            return " or ".join(_kind(each) for each in several)
    if node.get("type") == "array" and isinstance(items := node.get("items"), dict):
        return f"list of {_kind(items)}"
    return str(node.get("type", "any"))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "options": options,
    "commands": commands,
    "settings": settings,
    "fields": fields_of_verdict,
}


def written(page: str) -> str:
    """Return a page with its tables as the code has them now."""
    return MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]]().rstrip()}\n{found[3]}", page)


if __name__ == "__main__":
    for name in PAGES:
        path = Path(__file__).parent / name
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
