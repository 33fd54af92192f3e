"""Writes the table of all settings in docs/settings.md, from what app/config declares.

python -m tests.config.settings_table
"""

import re
from collections.abc import Iterator
from typing import Any

from app.config import Settings
from app.config.settings_file import default_text, fields_by_use
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
_KINDS = {"boolean": "`true` or `false`", "integer": "whole number", "number": "number"}
#: A longer default would make the table unreadable; it stands on the page in words.
_MAX_DEFAULT = 120


def setting_rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, default and meaning of each setting, as the page shows them."""
    described: dict[str, Any] = Settings.model_json_schema()["properties"]
    for name, field in fields_by_use():
        yield f"`{name.upper()}`", _type(described[name]), _shown(default_text(field.default)), str(field.description)


def with_table(page: str) -> str:
    """Return the page with its table as the code has it."""
    rows = "\n".join(f"| {' | '.join(row)} |" for row in setting_rows())
    (changed, count) = _TABLE.subn(
        lambda _: f"| setting | type | default | what it does |\n|---|---|---|---|\n{rows}", page
    )
    assert count == 1
    return changed


def _shown(default: str) -> str:
    """Return a default as the table has it."""
    if not default:
        return NO_DEFAULT
    return f"`{default}`" if len(default) <= _MAX_DEFAULT else "see [above](#worth-knowing)"


def _type(schema: dict[str, Any]) -> str:
    """Return what may be given, in words; None, which is to set nothing, left out."""
    options = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    schema = schema | options[0]
    if "$ref" in schema:
        return "list of `name:number`"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    word = {"password": "secret", "path": "folder"}.get(schema.get("items", schema).get("format"), "text")
    kind = _KINDS.get(schema["type"], word)
    if "enum" in schema.get("items", {}):
        kind = f"list of {', '.join(f'`{each}`' for each in schema['items']['enum'])}"
    elif "items" in schema:
        kind = "list" if word == "text" else f"list of {word}s"
    return ", ".join([kind, *(text.format(schema[bound]) for bound, text in _BOUNDS.items() if bound in schema)])


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
