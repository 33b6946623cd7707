"""A document as YAML text for people: keys in their order, one a line, read back by ``load`` as the same document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

WIDTH = 100
"""Longer text goes on in the next line."""


def write_yaml(document: Mapping[str, Any]) -> str:
    r"""Return a document as YAML.

    Args:
        document: JSON values under text keys.

    >>> print(write_yaml({"workflow": "a", "steps": [{"id": "b", "set": {"on": "yes", "n": "1e3"}}]}), end="")
    workflow: a
    steps:
      - id: b
        set:
          'on': 'yes'
          n: '1e3'
    """
    written: str = yaml.dump(
        document, Dumper=_Writer, sort_keys=False, allow_unicode=True, default_flow_style=False, width=WIDTH
    )
    return written


class _Writer(yaml.SafeDumper):
    """Writes lists indented below their key, several lines as several lines, and no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = None
        if not text.replace("\n", "").isprintable():
            # Among them are characters that YAML 1.1 takes for line breaks.
            style = '"'
        elif "\n" in text and not text[0].isspace():
            style = "|"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _Writer.represent_text)
# PyYAML quotes text that YAML 1.1 takes for something else; these are the numbers that only YAML 1.2 knows.
_Writer.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z|0o[0-7]+\Z"),
    list("-+.0123456789"),
)
