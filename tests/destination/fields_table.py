"""Writes the table of fields of `user_data` in docs/normalising.md, from app/core/fields.py.

python -m tests.destination.fields_table
"""

import re

from app.core.fields import USER_FIELDS
from tests.process import ROOT

PAGE = ROOT / "docs/normalising.md"
_HEAD = "| field | sent as | rule | given | hashed, or sent | source |\n|---|---|---|---|---|---|\n"
_TABLE = re.compile(r"^\| field \| sent as .*?(?=\n\n)", re.MULTILINE | re.DOTALL)


def with_table(page: str) -> str:
    """Return the page with its table as the code has it."""
    rows = "\n".join(
        f"| `{field.name}` | `{field.wire}` | {field.rule} "
        f"| `{field.example[0]}` | `{field.example[1]}` | {field.rule_source} |"
        for field in USER_FIELDS
    )
    changed, count = _TABLE.subn(lambda _: f"{_HEAD}{rows}", page)
    assert count == 1
    return changed


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
