"""What stands in the shipped files more than once, since triggers have no lists, stands there alike."""

import re
from copy import deepcopy
from typing import Any

from app.catalog.running_sources import load_source
from app.catalog.strict_yaml import parse_yaml
from app.values.currencies import currencies
from tests.process import ROOT
from tests.sources.test_cases import CASES

SOURCES = ROOT / "sources"
PAID = {"method": "POST", "headers": {}, "body": CASES["stripe-checkout-in-euros"]["request"]["body"]}


def ga4_names(source: str, asked: str) -> dict[str, Any]:
    """Return which event each of GA4's names becomes, by the triggers of a source that ask for the name there."""
    file: Any = parse_yaml((SOURCES / f"{source}.yaml").read_text(encoding="utf-8"))
    found = [(re.fullmatch(rf'{re.escape(asked)} = "(.+)"', each["subscribe"]), each) for each in file["events"]]
    return {name[1]: each["mapping"] for name, each in found if name}


def test_ga4s_names_become_the_same_events_in_all_three_shapes() -> None:
    pushed = ga4_names("ga4", "body.event")
    assert len(pushed) > 10
    assert pushed == ga4_names("ga4", "item.name") == ga4_names("gtm_server", "body.event_name")


def test_a_payment_by_stripe_is_one_order_in_every_currency() -> None:
    reshape, record = load_source(SOURCES, "stripe").reshape, deepcopy(PAID)
    assert reshape
    for currency in sorted(currencies()):
        record["body"]["data"]["object"]["currency"] = currency.lower()
        assert [isinstance(each, dict) for each in reshape(record)] == [True], currency
