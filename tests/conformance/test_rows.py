"""The vectors are complete."""

import json
import re

from tests.process import ROOT
from tests.rows import every_row

FOLDER = ROOT / "tests/conformance"
TABLE = re.findall(
    r"^\| `(\w+\.ndjson)` \| ([\d,]+) \| (?:`(.+?)`)?", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE
)


def test_every_file_is_in_the_table() -> None:
    assert sorted(name for name, _, _ in TABLE) == sorted(path.name for path in FOLDER.glob("*.ndjson"))


@every_row(("name", "rows", "reader"), TABLE, ids=[name for name, _, _ in TABLE])
def test_a_file_has_all_its_rows_and_its_reader(name: str, rows: str, reader: str) -> None:
    lines = (FOLDER / name).read_bytes().splitlines()
    assert len(lines) == int(rows.replace(",", ""))
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert not reader or name in (ROOT / reader).read_text("utf-8")
