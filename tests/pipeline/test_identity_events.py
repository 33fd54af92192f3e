"""What identity memory is told of an event."""

import math
from typing import Any

import pytest

from app import assemble
from app.catalog import compile_catalog
from app.config.settings import ConsentSettings
from app.identity import IdentityEvent, IdKeys
from app.pipeline.identity_events import own_time
from app.source.withholding import consent_answer
from tests.assembled import settings, shipped_catalog
from tests.process import ROOT
from tests.rows import every_row

NOW = 1_800_000_000.0


def identity_event(event: dict[str, Any], *, is_trusted: bool = True, **changes: Any) -> IdentityEvent:
    read = assemble.identity_event_reader(settings(remember_days=90, **changes))
    complete = {"type": "track", "messageId": "m-1", "timestamp": NOW, **event}
    return read(complete, shipped_catalog(), now=NOW, is_trusted=is_trusted)[0]


def test_ids_stand_there_as_keys_and_the_person_as_digests() -> None:
    met = identity_event(
        {"type": "identify", "userId": "ann", "anonymousId": "x", "traits": {"email": "ann@shop.example"}}
    )
    keys = IdKeys(b"")
    assert (met.kind, met.user, met.anonymous, met.previous) == (
        "identify",
        keys.user("ann"),
        keys.anonymous("x"),
        None,
    )
    assert set(met.found) == {"em", "external_id"}
    assert "ann" not in str(met)


@every_row(
    ("given", "text"),
    [
        (42, "42"),
        (42.0, "42"),
        (4711.5, "4711.5"),
        (1e3, "1000"),
        (1.2345678901234568e22, "12345678901234568000000"),
        (" ann ", "ann"),
        (["ann"], "ann"),
        ([[42.0], None, ""], "42"),
    ],
)
def test_an_id_is_the_same_for_memory_and_for_external_id(given: Any, text: str) -> None:
    """Else an event whose user memory cannot read is filled with what is known of whoever used its browser before."""
    of_given, of_text = identity_event({"userId": given}), identity_event({"userId": text})
    assert of_given.user == IdKeys(b"").user(text)
    assert of_given.found["external_id"] == of_text.found["external_id"]
    alias = {"type": "alias", "userId": "ann", "anonymousId": given}
    assert (
        identity_event(alias | {"previousId": given}).previous == identity_event(alias | {"previousId": text}).previous
    )
    assert identity_event(alias).anonymous == IdKeys(b"").anonymous(text)


@every_row("given", [None, "", True, math.inf, {}, {"id": "ann"}, [], ["ann", "bob"], [[["ann", 1]]]])
def test_what_names_nobody_or_several_is_no_id(given: Any) -> None:
    met = identity_event({"userId": given, "anonymousId": given, "previousId": given, "type": "alias"})
    assert (met.user, met.anonymous, met.previous) == (None, None, None)
    assert len(met.found.get("external_id", ())) != 1


def test_only_an_alias_has_a_previous_id() -> None:
    alias = {"type": "alias", "userId": "ann", "previousId": "x"}
    keys = IdKeys(b"")
    assert identity_event(alias).previous == (keys.user("x"), keys.anonymous("x"))
    assert identity_event(alias | {"type": "track"}).previous is None
    assert identity_event(alias | {"previousId": None}).previous is None


#: An event, settings, and what it says: an opt-out, an opt-in, and that nothing may be kept of it.
SAID: list[tuple[dict[str, Any], dict[str, Any], tuple[bool, bool, bool]]] = [
    ({}, {}, (False, False, False)),
    ({"properties": {"opt_out": True}}, {}, (True, False, True)),
    ({"properties": {"opt_out": False}}, {}, (False, True, False)),
    ({"properties": {"opt_out": False}, "context": {"opt_out": "yes"}}, {}, (True, False, True)),
    ({"properties": {"opt_out": "perhaps"}}, {}, (True, False, True)),
    ({"properties": {"opt_out": " "}}, {}, (False, False, False)),
    ({"context": {"device": {"adTrackingEnabled": True}}}, {}, (False, True, False)),
    ({"context": {"device": {"adTrackingEnabled": False}}}, {}, (True, False, True)),
    ({"context": {"device": {"attTrackingStatus": 1}}}, {}, (True, False, True)),
    ({"context": {"device": {"attTrackingStatus": 2}}}, {}, (True, False, True)),
    ({"context": {"device": {"attTrackingStatus": 3}}}, {}, (False, True, False)),
    # who was not asked has said nothing, whatever the SDK makes of it
    ({"context": {"device": {"attTrackingStatus": 0}}}, {}, (False, False, True)),
    ({"context": {"device": {"attTrackingStatus": "0", "adTrackingEnabled": False}}}, {}, (False, False, True)),
    ({"context": {"device": {"attTrackingStatus": False}}}, {}, (True, False, True)),
    ({"context": {"device": {"trackingStatus": "notDetermined"}}}, {}, (False, False, True)),
    ({"context": {"device": {"trackingStatus": "notDetermined", "attTrackingStatus": 0}}}, {}, (False, False, True)),
    (
        {"context": {"device": {"trackingStatus": "notDetermined", "adTrackingEnabled": False}}},
        {},
        (False, False, True),
    ),
    ({"context": {"device": {"trackingStatus": "denied"}}}, {}, (True, False, True)),
    ({"context": {"device": {"trackingStatus": "authorized"}}}, {}, (False, True, False)),
    ({"context": {"device": {"trackingStatus": "notDetermined"}, "opt_out": True}}, {}, (True, False, True)),
    # beside it one status that denies is an opt-out, and one that permits is no yes
    ({"context": {"device": {"trackingStatus": "notDetermined", "attTrackingStatus": 2}}}, {}, (True, False, True)),
    ({"context": {"device": {"trackingStatus": "denied", "attTrackingStatus": 0}}}, {}, (True, False, True)),
    ({"context": {"device": {"trackingStatus": "notDetermined", "attTrackingStatus": 3}}}, {}, (False, False, True)),
    ({"context": {"device": {"trackingStatus": "authorized", "attTrackingStatus": 0}}}, {}, (False, False, True)),
    ({"context": {"device": {"attTrackingStatus": 0}, "opt_out": True}}, {}, (True, False, True)),
    ({"context": {"gpc": True}}, {}, (True, False, True)),
    ({"context": {"gpc": "1"}, "properties": {"opt_out": False}}, {}, (True, False, True)),
    ({"context": {"gpc": True}}, {"gpc": "ldp"}, (True, False, True)),
    ({"context": {"gpc": True}}, {"gpc": "ignore"}, (False, False, False)),
    ({"properties": {"opt_out_type": "LDP"}}, {}, (False, False, True)),
    ({"properties": {"opt_out_type": "CCPA"}}, {}, (False, False, True)),
    ({"properties": {"opt_out_type": "no"}}, {}, (False, False, False)),
    (
        {"context": {"traits": {"address": {"state": "CA", "country": "US"}}}},
        {"ldp_states": "CA"},
        (False, False, True),
    ),
    (
        {"context": {"consent": {"categoryPreferences": {"ads": False}}}},
        {"consent_categories": "ads"},
        (True, False, False),
    ),
    (
        {"context": {"consent": {"categoryPreferences": {"ads": True}}}},
        {"consent_categories": "ads"},
        (False, True, False),
    ),
    ({"context": "none"}, {}, (False, False, False)),
    ({"context": {"device": "none"}}, {}, (False, False, False)),
]


@every_row(("event", "changes", "said"), SAID)
def test_a_no_and_a_yes_are_read_wherever_they_are_said(
    event: dict[str, Any], changes: dict[str, Any], said: tuple[bool, bool, bool]
) -> None:
    met = identity_event(event, **changes)
    assert (met.is_opt_out, met.is_opt_in, met.is_withheld) == said


@pytest.mark.slow
def test_what_cannot_be_read_permits_nothing() -> None:
    """A mapping of one's own may ask for more than can be read of an event."""
    action = ROOT / "mappings/report_conversion_event.yaml"
    text = action.read_text(encoding="utf-8").replace('{"@path": $.properties.epik}', '{"@template": "{{deep}}"}')
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    read = assemble.identity_event_reader(settings(remember_days=90))
    catalog = compile_catalog({}, {action.name: text})
    met, page = read({"type": "track", "userId": "ann", "deep": deep}, catalog, now=NOW, is_trusted=True)
    assert (met.is_withheld, met.found, page) == (True, {}, "")


@every_row(
    ("device", "permitted"),
    [
        ({}, False),
        ({"adTrackingEnabled": True}, True),
        ({"adTrackingEnabled": False}, False),
        ({"attTrackingStatus": 3}, True),
        ({"attTrackingStatus": 3, "adTrackingEnabled": False}, False),
    ],
)
def test_an_advertising_id_is_filled_only_where_tracking_is_permitted(device: dict[str, Any], permitted: Any) -> None:
    assert identity_event({"context": {"device": device}}).may_use_device is permitted


@every_row(
    ("times", "expected"),
    [
        ({"timestamp": 1_790_000_000}, 1_790_000_000),
        ({"timestamp": 1_790_000_000, "receivedAt": 1_780_000_000}, 1_780_000_000),
        ({"timestamp": 1_900_000_000}, NOW),
        ({"timestamp": "never", "sentAt": 1_790_000_000}, 1_790_000_000),
        ({"originalTimestamp": 1_790_000_000, "receivedAt": 1_795_000_000}, 1_790_000_000),
        ({}, NOW),
    ],
)
def test_an_events_time_is_its_own_but_not_after_its_receipt(times: dict[str, Any], expected: float) -> None:
    assert own_time(times, NOW) == expected


def test_an_event_without_a_time_has_that_of_its_receipt() -> None:
    assert math.isinf(own_time({}, math.inf))


def answer(context: Any, **rules: Any) -> bool | None:
    return consent_answer({"context": context}, ConsentSettings.model_construct(**rules))


@every_row(
    ("context", "expected"),
    [
        ({}, None),
        ({"consent": {}}, None),
        ({"consent": {"categoryPreferences": {}}}, None),
        ({"consent": {"categoryPreferences": {"ads": True, "more": True}}}, True),
        ({"consent": {"categoryPreferences": {"ads": True}}}, None),
        ({"consent": {"categoryPreferences": {"ads": True, "more": False}}}, False),
        ({"consent": {"categoryPreferences": {"ads": "granted", "more": True}}}, False),
        ({"consent": {"categoryPreferences": 3}}, False),
    ],
)
def test_a_category_is_refused_only_where_it_is_named(context: Any, expected: Any) -> None:
    assert answer(context, consent_categories=("ads", "more")) is expected
    assert answer(context) is None


@every_row(
    ("management", "expected"),
    [
        ({}, None),
        ({"deniedConsentIds": []}, None),
        ({"deniedConsentIds": ["other"], "allowedConsentIds": ["one", "two"]}, True),
        ({"allowedConsentIds": ["one"]}, None),
        ({"allowedConsentIds": ["one"], "resolutionStrategy": "or"}, True),
        ({"allowedConsentIds": [], "resolutionStrategy": "or"}, None),
        ({"deniedConsentIds": ["one"]}, False),
        ({"deniedConsentIds": ["one"], "resolutionStrategy": "or"}, None),
        ({"deniedConsentIds": "one"}, False),
        ({"allowedConsentIds": "one"}, None),
    ],
)
def test_rudderstacks_ids_are_granted_only_where_they_are_named(management: Any, expected: Any) -> None:
    assert answer({"consentManagement": management}, rudder_consent_ids=("one", "two")) is expected
