"""Which match keys an event can carry, how well a preset does, and what would bring most."""

from collections import Counter

import pytest

from app.console.counts import PresetCounts
from app.console.labels import COMPONENT_LABELS, OTHER_KEY_LABELS
from app.console.quality_page import (
    KeyAdvice,
    PresetKeys,
    StepsOfKeys,
    key_trends,
    overall_score,
    ranked_advice,
    shares_of_all,
)
from app.core.events import CounterRow
from app.core.fields import MATCH_FIELDS
from app.destination import MATCH_KEYS, match_keys
from app.destination.normalise import phone_normaliser
from app.outbox import NO_COUNTRY, warning_label
from tests.rows import every_row

CHECKOUT = PresetKeys(event_name="checkout", action_source="web")
LEAD = PresetKeys(event_name="lead", action_source="web")
APP = PresetKeys(event_name="checkout", action_source="app_ios")
ANY = PresetKeys(event_name="", action_source="")


def counts(name: str, events: int, **quality: int) -> PresetCounts:
    return PresetCounts(
        name=name, counts=Counter(enqueued=events), accounts={}, quality=Counter(quality), recalled=Counter()
    )


@every_row(
    ("keys", "component", "can"),
    [
        (CHECKOUT, "order_id", True),
        (LEAD, "order_id", False),
        (LEAD, "order_value", False),
        (CHECKOUT, "product_id", True),
        (CHECKOUT, "hashed_maid", False),
        (APP, "hashed_maid", True),
        (APP, "click_id_epik", False),
        (LEAD, "click_id_epik", True),
        (LEAD, "hashed_email", True),
        (ANY, "hashed_maid", True),
        (ANY, "source_url", True),
        (ANY, "order_id", True),
    ],
)
def test_a_key_counts_only_where_it_can_apply(keys: PresetKeys, component: str, *, can: bool) -> None:
    assert keys.can_carry(component, 0) is can


def test_what_some_event_carries_can_be_carried() -> None:
    assert LEAD.can_carry("order_value", 1)


def test_the_score_is_the_share_of_the_keys_that_can_be_carried() -> None:
    some = counts("Lead", 10, hashed_email=10, ip_address=5)
    assert overall_score([some], {"Lead": LEAD}, ["hashed_email", "ip_address", "order_id"]) == 75
    assert overall_score([counts("Lead", 0)], {"Lead": LEAD}, ["hashed_email"]) == 0


def test_advice_is_ranked_by_what_is_missing_and_says_what_to_do() -> None:
    presets = [counts("Checkout", 10, hashed_email=9, click_id_epik=2), counts("Lead", 5, hashed_email=5)]
    found = ranked_advice(presets, {"Checkout": CHECKOUT, "Lead": LEAD}, ["hashed_email", "click_id_epik", "order_id"])
    assert [(each.component, each.events, each.missing) for each in found] == [
        ("click_id_epik", 15, 13),
        ("order_id", 10, 10),
        ("hashed_email", 15, 1),
    ]
    assert isinstance(found[0], KeyAdvice)
    assert "epik" in found[0].remedy


def test_there_is_advice_for_every_key_that_can_be_missing() -> None:
    presets, keys = [counts("Any", 1), counts("App", 1)], {"Any": ANY, "App": APP}
    without = {component for component in MATCH_KEYS if not ranked_advice(presets, keys, [component])}
    assert without == {component for component, field in MATCH_FIELDS.items() if not field.key.advice}
    assert {"hashed_email", "phone", "hashed_maid", "order_value"}.isdisjoint(without)


def test_every_match_key_that_is_counted_has_its_words() -> None:
    assert tuple({**COMPONENT_LABELS, **OTHER_KEY_LABELS}) == MATCH_KEYS
    event = {"event_id": "1", "user_data": {"em": ["0"], "ph": ["1"], "country": ["2"]}}
    assert match_keys(event) == ("external_event_id", "hashed_email", "phone", "country")


def test_a_device_is_asked_for_where_events_are_those_of_apps_only() -> None:
    presets = [counts("Any", 10, hashed_maid=1), counts("App", 5)]
    (found,) = ranked_advice(presets, {"Any": ANY, "App": APP}, ["hashed_maid"])
    assert (found.events, found.missing) == (5, 5)


@pytest.mark.parametrize(
    ("phone", "label"), [("030 901820", NO_COUNTRY), ("hello", "user_data.phone:"), ("+49", NO_COUNTRY)]
)
def test_phones_without_a_country_are_counted_apart(phone: str, label: str) -> None:
    _, note = phone_normaliser(None)(phone, None)
    warning = f"user_data.phone: a text of {len(phone)} characters {note}"
    assert warning_label(warning) == label
    assert label in warning


def test_a_label_is_found_in_the_warnings_that_it_counts_and_in_no_other() -> None:
    whole, member, elsewhere = "user_data: {} passed over", "user_data.phone: {}", "user_data.phone (traits.phone): {}"
    unlabelled = ("checkout without value: {}", "LDP_STATES: {}", "'click_id' is not present")
    kinds = [*unlabelled, whole, member, elsewhere, "custom_data: {} left out", "custom_data.value (total): {}"]
    for one in kinds:
        found = [other for other in kinds if warning_label(one.format("a")) in other.format("b")]
        assert found == [one]


def test_what_could_not_be_read_is_told_and_a_key_of_the_score_counts_twice() -> None:
    presets = [counts("Checkout", 10, phone=7, hashed_email=8, city=5)]
    keys, names = {"Checkout": CHECKOUT}, ["phone", "hashed_email", "city"]
    warned = {"user_data.phone": 1, "user_data.phone (properties.phone)": 2, NO_COUNTRY: 4, "user_data.phoneme": 9}
    found = ranked_advice(presets, keys, names, warned)
    assert [(each.component, each.missing, each.unread, each.without_country) for each in found] == [
        ("city", 5, 0, 0),
        ("hashed_email", 2, 0, 0),
        ("phone", 3, 7, 4),
    ]
    assert "DEFAULT_COUNTRY" in found[2].remedy


def test_a_score_over_time_is_that_of_each_step() -> None:
    def told(name: str, label: str, count: int) -> CounterRow:
        return CounterRow(name=name, preset="Checkout", label=label, count=count)

    counters = [
        (0, told("enqueued", "", 4)),
        (0, told("quality", "hashed_email", 4)),
        (60, told("enqueued", "", 2)),
        (60, told("quality", "hashed_email", 2)),
        (90, told("quality", "order_id", 1)),
        (90, told("quality", "phone", 1)),
    ]
    whole = counts("Checkout", 6, hashed_email=6, order_id=1)
    steps, keys = StepsOfKeys(counters, [0, 60, 120]), {"Checkout": CHECKOUT}
    assert shares_of_all(steps, [whole], keys, ["hashed_email", "order_id"]) == (50, 75, 0)
    lead = counts("Lead", 4)
    both = {"Checkout": CHECKOUT, "Lead": LEAD}
    more = StepsOfKeys([*counters, (60, CounterRow(name="enqueued", preset="Lead", count=2))], [0, 60, 120])
    trends = key_trends(more, [whole, lead], both, ["hashed_email", "order_id", "hashed_maid"])
    # Leads have no order, and neither is of an app.
    assert [(each.component, each.events, each.carried, each.shares) for each in trends] == [
        ("hashed_email", 10, 6, (100, 50, 0)),
        ("order_id", 6, 1, (0, 50, 0)),
    ]
    assert trends[0].line == "M0 100V0h10V50h10V100h10V100"
