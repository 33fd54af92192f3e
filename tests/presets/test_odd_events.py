"""docs/odd-events.md is what the program makes of its table, and the table names every rule with a test that exists."""

import re
from typing import Any

import pytest

from tests.presets.odd_events import PAGE, RULES, page
from tests.process import ROOT
from tests.rows import every_row


@pytest.mark.slow
async def test_the_page_says_what_becomes_of_its_events() -> None:
    assert PAGE.read_text(encoding="utf-8") == await page(), "`make odd-events` writes it anew"


def test_it_shows_forty_events_and_more_of_all_rules() -> None:
    assert [rule["number"] for rule in RULES] == list(range(1, 27))
    assert all(rule["events"] for rule in RULES)
    assert sum(len(rule["events"]) for rule in RULES) >= 40


@every_row("rule", RULES, ids=lambda rule: str(rule["number"]))
def test_the_tests_that_prove_a_rule_exist(rule: dict[str, Any]) -> None:
    for name in rule["tests"]:
        file, test = name.split("::")
        assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), name
