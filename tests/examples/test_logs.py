"""docs/telemetry.md lists every event that the code logs, with its level and its fields."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import pytest

from app.insights.tracing.otel import OTEL_NAMES
from tests.process import ROOT

PAGE = (ROOT / "docs/telemetry.md").read_text(encoding="utf-8").split("\n## Traces\n")[0]
LEVELS = {"debug", "info", "warning", "error", "critical"}
#: Lines that are made as facts and written by themselves, by the function that makes them.
WRITTEN = {"request": "log_request", "delivery attempted": "log_attempts"}


class Logged(NamedTuple):
    """One call that logs, or what several calls of one event have together."""

    event: str
    levels: frozenset[str]
    fields: frozenset[str]


def calls() -> Iterator[Logged]:
    """Yield every call of the logger in app/ with its event and fields."""
    for file in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_logger(node.func.value):
                assert node.func.attr in LEVELS, f"{file}:{node.lineno}"
                event = ast.literal_eval(node.args[0])
                fields = {keyword.arg for keyword in node.keywords if keyword.arg}
                if "exc_info" in fields:
                    fields = fields - {"exc_info"} | {"error", "places"}
                yield Logged(event, frozenset({node.func.attr}), frozenset(fields))


def _is_logger(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "logger"


def rows() -> dict[str, Logged]:
    """Return what the page says of each event."""
    table = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    return {
        event: Logged(
            event, frozenset(re.findall(r"\b\w+\b", level)) & LEVELS, frozenset(re.findall(r"`(\w+)`", fields))
        )
        for event, level, fields in table
    }


@pytest.mark.slow
def test_the_page_lists_the_events_of_the_code_with_their_levels_and_fields() -> None:
    found: dict[str, Logged] = {}
    for each in calls():
        known = found.get(each.event, each)
        found[each.event] = Logged(each.event, known.levels | each.levels, known.fields | each.fields)
    listed = rows()
    assert len(found) > 15
    assert found.keys() == listed.keys() - WRITTEN.keys()
    loose = {"destination"}  # laid over a line only where there are several
    wrong = {
        event: (found[event], listed[event])
        for event in found
        if (found[event].levels, found[event].fields) != (listed[event].levels, listed[event].fields - loose)
    }
    assert wrong == {}


def test_the_page_lists_the_fields_of_lines_that_are_written_as_facts() -> None:
    log = "".join((ROOT / file).read_text(encoding="utf-8") for file in ("app/core/log.py", "app/web/application.py"))
    for event in WRITTEN:
        assert f'"event": "{event}"' in log
        assert [field for field in rows()[event].fields - {"source", "why"} if f'"{field}"' not in log] == []


def test_the_page_lists_the_names_of_opentelemetry() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| `([a-z_.]+)` \|$", PAGE, re.MULTILINE))
    assert listed == OTEL_NAMES
    assert OTEL_NAMES.keys() <= set(chain.from_iterable(row.fields for row in rows().values()))
