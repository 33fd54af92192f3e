"""Mappings of Segment's and RudderStack's destinations become presets: nothing is lost, and what differs is told."""

import json
from typing import Any

import pytest
import yaml

from app.catalog.catalog import compile_catalog
from app.catalog.foreign_presets import ImportedPreset, Subscription, import_preset, read_foreign
from app.errors import CatalogError
from tests.process import ROOT
from tests.rows import every_row

ACTION = (ROOT / "mappings/report_conversion_event.yaml").read_text(encoding="utf-8")
#: As Segment saves a mapping whose fields stand as they come.
SAVED: dict[str, Any] = {
    "event_name": "checkout",
    "action_source": "web",
    "event_time": {"@path": "$.timestamp"},
    "event_id": {"@path": "$.messageId"},
    "opt_out": True,
    "user_data": {
        "email": {
            "@if": {
                "exists": {"@path": "$.properties.email"},
                "then": {"@path": "$.properties.email"},
                "else": {"@path": "$.traits.email"},
            }
        },
        "client_ip_address": {"@path": "$.context.ip"},
        "client_user_agent": {"@path": "$.context.userAgent"},
        "phone": "",
    },
    "custom_data": {"order_id": {"@path": "$.properties.order_id"}, "currency": {"@path": "$.properties.currency"}},
    "enable_batching": True,
    "batch_size": 1000,
    "__segment_internal_sync_mode": "add",
}
EVENT: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "timestamp": "2026-11-25T10:15:00Z",
    "context": {"ip": "203.0.113.41", "userAgent": "Mozilla/5.0"},
    "traits": {"email": "ada@example.com"},
    "properties": {"order_id": "SO-1", "currency": "EUR", "basket": "SO-2", "mail": "eva@example.com"},
}


def imported(trigger: str = 'type = "track"', **changes: Any) -> ImportedPreset:
    mapping = SAVED | changes
    return import_preset(Subscription(name="Mine", trigger=trigger, enabled=True, mapping=mapping), ACTION)


def told(preset: ImportedPreset) -> dict[str, tuple[str, str]]:
    return {each.field: (each.outcome, each.why) for each in preset.told}


def fields(preset: ImportedPreset) -> dict[str, Any]:
    """Return what the preset's file makes of the event, as the catalog compiles it."""
    assert preset.text is not None
    catalog = compile_catalog({"mine.yaml": preset.text}, {"report_conversion_event.yaml": ACTION})
    found: dict[str, Any] = catalog.presets[0].mapping.resolve(EVENT)
    return found


def test_what_segment_would_send_is_sent_but_for_its_opting_out_everybody() -> None:
    made = fields(imported())
    assert {name: made[name] for name in ("event_name", "action_source", "event_time", "event_id")} == {
        "event_name": "checkout",
        "action_source": "web",
        "event_time": EVENT["timestamp"],
        "event_id": "m-1",
    }
    assert not made.get("opt_out")
    assert (made["user_data"]["email"], made["user_data"]["client_ip_address"]) == ("ada@example.com", "203.0.113.41")
    assert (made["custom_data"]["order_id"], made["custom_data"]["currency"]) == ("SO-1", "EUR")


def test_a_mapping_as_it_comes_is_left_to_our_defaults_and_each_field_is_told() -> None:
    preset = imported()
    assert preset.text is not None
    assert yaml.safe_load(preset.text)["mapping"] == {"event_name": "checkout", "action_source": "web"}
    found = told(preset)
    assert found.keys() == {
        *("event_name", "action_source", "event_time", "event_id", "opt_out", "user_data.email"),
        *("user_data.client_ip_address", "user_data.client_user_agent", "custom_data.order_id", "custom_data.currency"),
    }
    assert {outcome for outcome, _ in found.values()} == {"carried over", "uses Pinrelay's default"}
    assert "opts everybody out" in found["opt_out"][1]


@every_row(
    ("changes", "place", "value"),
    [
        ({"custom_data": {"order_id": {"@path": "$.properties.basket"}}}, "custom_data.order_id", "SO-2"),
        ({"user_data": {"email": {"@template": "{{properties.mail}}"}}}, "user_data.email", "eva@example.com"),
        ({"user_data": {"first_name": {"@path": "$.properties.mail"}}}, "user_data.first_name", "eva@example.com"),
        ({"action_source": "offline"}, "action_source", "offline"),
        ({"custom_data_2": {"content_brand": "Oak"}}, "custom_data.content_brand", "Oak"),
        ({"contents": [{"id": "1"}]}, "custom_data.contents", [{"id": "1"}]),
        (
            {"user_data": {"email": {"@coalesce": [{"@path": "$.properties.mail"}, {"@path": "$.traits.email"}]}}},
            "user_data.email",
            "eva@example.com",
        ),
    ],
    ids=str,
)
def test_what_somebody_has_mapped_otherwise_is_carried_over(changes: dict[str, Any], place: str, value: Any) -> None:
    preset = imported(**changes)
    assert told(preset)[place] == ("carried over", "")
    made: Any = fields(preset)
    for name in place.split("."):
        made = made[name]
    assert made == value


@every_row(
    ("changes", "place", "why"),
    [
        ({"colour": "red"}, "colour", "Pinrelay has no such field"),
        ({"user_data": {"shoe_size": 44}}, "user_data.shoe_size", "Pinrelay has no such field"),
        ({"language": {"@paht": "$.a"}}, "language", "has an unknown directive '@paht'"),
        ({"user_data": {"city": {"@case": {"operator": "shout"}}}}, "user_data.city", ""),
        ({"action_source": "shop"}, "action_source", "'shop' is not known"),
    ],
    ids=str,
)
def test_what_cannot_be_carried_over_is_left_out_and_told(changes: dict[str, Any], place: str, why: str) -> None:
    preset = imported(**changes)
    outcome, said = told(preset)[place]
    assert outcome == "could not be"
    assert said.startswith(why)
    assert fields(preset)["event_name"] == "checkout"


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else "x"


@pytest.mark.parametrize(
    ("preset", "place"),
    [
        (imported(trigger='type = "track" and'), "subscribe"),
        (imported(event_name="made_up"), "mapping/event_name"),
        (imported(event_name=None), "mapping/event_name"),
        (imported(language=nested(70)), ""),
    ],
    ids=["trigger", "event name", "no event name", "no file can hold it"],
)
def test_a_mapping_without_a_trigger_or_an_event_name_or_a_file_that_holds_it_gives_no_preset(
    preset: ImportedPreset, place: str
) -> None:
    assert preset.text is None
    assert told(preset)[place][0] == "could not be"


SUBSCRIPTION = {"id": "1", "name": "Mine", "actionSlug": "a", "enabled": False, "trigger": "t", "settings": {"a": 1}}
READ = Subscription(name="Mine", trigger="t", enabled=False, mapping={"a": 1})


@pytest.mark.parametrize(
    "given",
    [
        {"data": {"subscriptions": [SUBSCRIPTION], "pagination": {}}},
        {"subscriptions": [SUBSCRIPTION]},
        [SUBSCRIPTION],
        {"presets": [{"name": "Mine", "enabled": False, "subscribe": "t", "mapping": {"a": 1}}]},
    ],
)
def test_segments_subscriptions_are_found_in_every_wrapping(given: Any) -> None:
    assert read_foreign(json.dumps(given)) == [READ]


def test_rudderstacks_mapping_of_events_gives_a_preset_each() -> None:
    pairs = [{"from": "Order Completed", "to": "checkout"}, {"from": 'A "B"', "to": "AddToCart"}, "none"]
    config = {"destination": {"config": {"adAccountId": "1", "eventsMapping": pairs}}}
    first, second = read_foreign(json.dumps(config))
    assert (first.trigger, first.mapping) == (
        'type = "track" and event = "Order Completed"',
        {"event_name": "checkout"},
    )
    assert second == Subscription(
        name='A "B" as add_to_cart',
        trigger='type = "track" and event = "A \\"B\\""',
        enabled=True,
        mapping={"event_name": "add_to_cart"},
    )
    assert import_preset(second, ACTION).text is not None


@pytest.mark.parametrize("text", ["{", "[1]", "{}", '{"data": {"destination": {}}}'])
def test_what_is_neither_is_told(text: str) -> None:
    with pytest.raises(CatalogError):
        read_foreign(text)


def test_a_broken_action_is_told() -> None:
    with pytest.raises(CatalogError):
        import_preset(READ, "name: [")
