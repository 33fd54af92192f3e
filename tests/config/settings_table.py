"""Writes the table of all settings in docs/settings.md, from what app/config declares.

python -m tests.config.settings_table
"""

import re
from collections.abc import Iterator
from typing import Any

from app.config import Settings
from app.config.settings_file import default_text
from tests.process import ROOT

#: Stands in the table where there is no default.
NO_DEFAULT = "\u2013"
PAGE = ROOT / "docs/settings.md"
_TABLE = re.compile(r"^\| setting \| type .*?(?=\n\n|\n\Z)", re.MULTILINE | re.DOTALL)
_BOUNDS = {
    "minimum": "{} or more",
    "exclusiveMinimum": "more than {}",
    "maximum": "{:,} at most",
    "exclusiveMaximum": "less than {}",
    "maxItems": "{} at most",
    "maxLength": "{} characters at most",
}
#: A bound that no user reaches is not shown.
_TECHNICAL = 10**9
_KINDS = {"boolean": "`true` or `false`", "integer": "whole number", "number": "number"}
#: The name of a page in a description, which becomes a link.
_PAGE_NAME = re.compile(r"\b[a-z-]+\.md\b")


def setting_rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, default and meaning of each setting, as the page shows them."""
    described: dict[str, Any] = Settings.model_json_schema()["properties"]
    for name, field in sorted(Settings.model_fields.items()):
        yield f"`{name.upper()}`", _type(described[name]), _shown(default_text(field.default)), str(field.description)


def with_table(page: str) -> str:
    """Return the page with its table as the code has it."""
    rows = "\n".join(f"| {linked(' | '.join(row))} |" for row in setting_rows())
    (changed, count) = _TABLE.subn(
        lambda _: f"| setting | type | default | what it does |\n|---|---|---|---|\n{rows}", page
    )
    assert count == 1
    return changed


def _shown(default: str) -> str:
    """Return a default as the table has it."""
    return f"`{default}`" if default else NO_DEFAULT


def linked(text: str, folder: str = "") -> str:
    """Return the text with links to the pages that it names."""
    return _PAGE_NAME.sub(lambda page: f"[{page[0].removesuffix('.md')}]({folder}{page[0]})", text)


def _type(schema: dict[str, Any]) -> str:
    """Return what may be given, in words; None, which is to set nothing, left out."""
    options = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    schema = schema | options[0]
    if "$ref" in schema:
        return "list of `name:number`"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    paths = "folder" if "items" in schema else "file"
    word = {"password": "secret", "path": paths}.get(schema.get("items", schema).get("format"), "text")
    kind = _KINDS.get(schema["type"], word)
    if "enum" in schema.get("items", {}):
        kind = f"list of {', '.join(f'`{each}`' for each in schema['items']['enum'])}"
    elif "items" in schema:
        kind = "list" if word == "text" else f"list of {word}s"
    return ", ".join(
        [
            kind,
            *(
                text.format(schema[bound])
                for bound, text in _BOUNDS.items()
                if schema.get(bound, _TECHNICAL) < _TECHNICAL
            ),
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
