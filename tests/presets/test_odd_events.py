"""odd_events.md is generated from its table, and the table names existing tests for every rule."""

import re
from typing import Any

import pytest

from tests.presets.odd_events import RULES, written
from tests.process import ROOT
from tests.rows import every_row


@pytest.mark.slow
async def test_the_page_and_its_warnings_are_generated() -> None:
    for path, text in (await written()).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make odd-events`"


def test_it_shows_forty_events_and_more_of_all_rules() -> None:
    assert [rule["number"] for rule in RULES] == list(range(1, 27))
    assert all(rule["events"] for rule in RULES)
    assert sum(len(rule["events"]) for rule in RULES) >= 40


@every_row("rule", RULES, ids=lambda rule: str(rule["number"]))
def test_the_tests_that_prove_a_rule_exist(rule: dict[str, Any]) -> None:
    for name in rule["tests"]:
        file, test = name.split("::")
        assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), name
