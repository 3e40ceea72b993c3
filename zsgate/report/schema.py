"""Schema: that of verdict.json, made from the types of the record and their docstrings.

``python -m zsgate.report.schema`` writes it to ``verdict.schema.json`` beside this file.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from zsgate.report.record.entry import Entry
from zsgate.report.record.run import GateState, Record

PATH = Path(__file__).with_name("verdict.schema.json")
Node = dict[str, object]


def text() -> str:
    """Return the schema as JSON: it holds what is written, so every field of a record is required."""
    root, components = msgspec.json.schema_components([Record], schema_hook=_anything)
    for kind in _kinds(Entry):
        if kind.__name__ in components:
            _describe(components[kind.__name__], kind)
    state = components[GateState.__name__]
    state["description"] = _words(str(state["description"]))
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:zsgate:verdict:1",
        "title": "verdict.json of zsgate",
        **root[0],
        "$defs": dict(sorted(components.items())),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _anything(kind: type) -> Node:
    """Return the schema of ``object``, of which settings and notes are."""
    return {"description": "anything that JSON can hold"}


def _kinds(base: type[Entry]) -> Iterator[type[Entry]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _describe(node: Node, kind: type[Entry]) -> None:
    """Add to the schema of a record what its docstring says of it and of its fields."""
    node["description"] = _words(inspect.getdoc(kind) or "").partition("\n\n")[0]
    properties = node["properties"]
    assert isinstance(properties, dict)
    for base in reversed(kind.__mro__):
        for name, words in _attributes(base):
            if name in properties:
                properties[name] = _described(properties[name], words)
    if not kind.__struct_config__.omit_defaults:
        node["required"] = list(properties)
    for field in properties.values():
        field.pop("default", None)


def _described(node: Node, words: str) -> Node:
    return {**node, "description": words}


def _attributes(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the fields that a numpydoc docstring describes, each with what it says."""
    _, _, listed = ((kind.__doc__ and inspect.getdoc(kind)) or "").partition("Attributes\n----------\n")
    for names, words in re.findall(r"^(\w[\w, ]*)\n((?: +.*\n?)+)", listed, re.MULTILINE):
        for name in names.split(", "):
            yield name, _words(inspect.cleandoc(words))


def _words(documented: str) -> str:
    """Return a docstring's text as prose: no line breaks within a paragraph, no marks of code."""
    paragraphs = documented.split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).replace("``", "")


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
