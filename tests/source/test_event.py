"""What an event is, and what is filled in where the sender left it out."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import EventRefused
from app.source import Arrival, read_event
from tests.rows import every_row
from tests.source.door import NOW, NOW_TEXT

FROM_WEBHOOK = Arrival.at(NOW, new_id=lambda: "made")
FROM_SDK = Arrival.at(NOW, from_device=True, new_id=lambda: "made")


def event(**members: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Order Completed", "messageId": "m-1", **members}


@every_row("value", [None, True, 5, 1.5, "track", [], [{"type": "track"}]])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(EventRefused, match="not a JSON object"):
        read_event(value, FROM_WEBHOOK)


@every_row("kind", [None, "", 5, ["track"], {}])
def test_an_event_without_a_type_is_refused_with_its_id(kind: Any) -> None:
    with pytest.raises(EventRefused, match="`type` is missing") as caught:
        read_event(event(type=kind), FROM_WEBHOOK)

    assert caught.value.message_id == "m-1"


@every_row("kind", ["track", "page", "screen", "identify", "group", "alias", "delete", "Track", "?"])
def test_any_type_is_taken(kind: str) -> None:
    assert read_event(event(type=kind), FROM_WEBHOOK)["type"] == kind


def test_what_a_webhook_brings_complete_is_left_alone() -> None:
    complete = event(
        timestamp="2020-01-01T00:00:00Z",
        originalTimestamp="2020-01-01T01:00:00Z",
        sentAt="2020-01-01T01:00:01Z",
        receivedAt="2020-01-01T00:00:01Z",
    )

    assert read_event(dict(complete), FROM_WEBHOOK) == complete | {"arrivedAt": NOW}


@every_row(
    ("given", "timestamp", "received"),
    [
        ({}, NOW_TEXT, NOW_TEXT),
        ({"receivedAt": "2026-03-04T00:00:00Z"}, "2026-03-04T00:00:00Z", "2026-03-04T00:00:00Z"),
        ({"timestamp": None, "originalTimestamp": "2026-03-03T00:00:00Z"}, "2026-03-03T00:00:00Z", NOW_TEXT),
        ({"originalTimestamp": "soon", "receivedAt": "2026-03-04T00:00:00Z"}, *["2026-03-04T00:00:00Z"] * 2),
        ({"receivedAt": "soon", "sentAt": 1772640000}, 1772640000, "soon"),
        ({"sentAt": "2026-03-04t00:00:00z"}, "2026-03-04t00:00:00z", None),
        ({"timestamp": "soon", "arrivedAt": "2031-03-04T00:00:00Z"}, "soon", NOW_TEXT),
        ({"timestamp": 1772640000}, 1772640000, NOW_TEXT),
    ],
)
def test_a_webhook_event_gets_the_times_that_are_missing(
    given: dict[str, Any], timestamp: Any, received: str | None
) -> None:
    completed = read_event(event(**given), FROM_WEBHOOK)

    assert (completed["timestamp"], completed.get("receivedAt"), completed["arrivedAt"]) == (timestamp, received, NOW)


@pytest.mark.parametrize("given", [{}, {"timestamp": "", "arrivedAt": NOW_TEXT}])
def test_an_imported_event_gets_no_time_that_nobody_told(given: dict[str, Any]) -> None:
    imported = read_event(event(**given), Arrival.at(NOW, is_live=False))

    assert {imported.get(name) for name in ("timestamp", "receivedAt", "arrivedAt")} <= {None, ""}
    assert read_event(event(sentAt=1772640000), Arrival.at(NOW, is_live=False))["timestamp"] == 1772640000


@every_row(
    ("told", "sent", "corrected"),
    [
        # 16:12:52.244 - (10:00:05 - 10:00:00): the device's clock is hours behind, the event 5 s old
        ("2026-03-04T10:00:00Z", "2026-03-04T10:00:05Z", "2026-03-04T16:12:47.244Z"),
        # a clock that is years ahead, offsets that differ: 12:00 +02:00 is 10:00 UTC
        ("2031-03-04T12:00:00.000+02:00", "2031-03-04T10:00:05.244Z", "2026-03-04T16:12:47.000Z"),
        # nanoseconds (Go) and no offset (UTC)
        ("2026-03-04T10:00:00.123456789Z", "2026-03-04T10:00:01.123456", "2026-03-04T16:12:51.244Z"),
        # sent two days later, as an import does
        ("2026-03-02T16:12:52Z", "2026-03-04T16:12:52Z", "2026-03-02T16:12:52.244Z"),
        # no sentAt, or one that cannot be read: nothing to compare with
        ("2026-03-04T10:00:00Z", None, "2026-03-04T10:00:00Z"),
        ("2026-03-04T10:00:00Z", "soon", "2026-03-04T10:00:00Z"),
        # numbers are times too: 16:12:52.244 - (16:12:52 - 10:00:00)
        ("2026-03-04T10:00:00Z", 1772640772, "2026-03-04T10:00:00.244Z"),
        ("yesterday", "2026-03-04T10:00:05Z", "yesterday"),
        (None, "2026-03-04T10:00:05Z", NOW_TEXT),
        # a span that no calendar holds
        ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"),
        # before year 1 once its offset is taken off
        ("0001-01-01T00:00:00+10:00", "2026-03-04T10:00:05Z", "0001-01-01T00:00:00+10:00"),
    ],
)
def test_a_devices_clock_is_corrected_by_received_minus_sent(told: Any, sent: Any, corrected: str) -> None:
    completed = read_event(event(timestamp=told, sentAt=sent, receivedAt="forged"), FROM_SDK)

    assert completed["timestamp"] == corrected
    assert completed.get("originalTimestamp") == (None if corrected == told and sent != "soon" and sent else told)
    assert completed["receivedAt"] == NOW_TEXT


def test_rudderstacks_sdks_tell_the_time_as_original_timestamp() -> None:
    told = event(originalTimestamp="2026-03-04T10:00:00Z", sentAt="2026-03-04T10:00:05Z")

    assert read_event(dict(told), FROM_SDK)["timestamp"] == "2026-03-04T16:12:47.244Z"
    both = read_event(told | {"timestamp": "soon"}, FROM_SDK)
    assert (both["timestamp"], both["originalTimestamp"]) == ("soon", "2026-03-04T16:12:47.244Z")


@every_row(
    ("given", "message_id"),
    [
        *[("m-1", "m-1"), (17, "17"), ("", "made"), (True, "made"), ({}, "made"), ("nanna", "nanna"), (" m ", " m ")],
        *[(" ", "made"), ("NaN", "made"), ("undefined", "made"), ("NULL", "made"), ("(not set)", "made")],
        *[(0, "made"), ("{{ id }}", "made"), ("[object Object]", "made"), ("Pending", "made"), ("-", "made")],
    ],
)
def test_a_message_id_is_a_text_or_a_whole_number_else_it_is_made(given: Any, message_id: str) -> None:
    assert read_event(event(messageId=given), FROM_WEBHOOK)["messageId"] == message_id


def without_id(**members: Any) -> str:
    bare = {"type": "page", "timestamp": "2026-03-04T10:00:00Z", **members}
    return str(read_event(bare, FROM_SDK)["messageId"])


def test_an_event_without_id_that_is_sent_again_gets_the_same_id() -> None:
    first = without_id(userId="u", anonymousId="a", sentAt="2026-03-04T10:00:01Z")
    again = without_id(anonymousId="a", userId="u", sentAt="2026-03-04T10:05:01Z")

    assert first == again
    assert len(first) == 32


@pytest.mark.parametrize("change", [{"timestamp": "2026-03-04T10:00:00.001Z"}, {"name": "Home"}])
def test_events_without_id_that_differ_get_ids_that_differ(change: dict[str, Any]) -> None:
    assert without_id(**change) != without_id()


def test_events_without_id_and_time_may_be_two_things_that_happened() -> None:
    untimed = {"type": "page", "messageId": "undefined", "timestamp": "NaN"}
    ids = {read_event({**untimed}, Arrival.at(NOW))["messageId"] for _ in range(2)}

    assert len(ids) == 2


def test_an_event_too_deep_to_be_written_gets_a_random_id() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}

    assert without_id(properties=deep) == "made"


@settings(deadline=None)  # a busy machine is no fault
@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()), st.booleans())
def test_every_object_is_completed_or_refused(members: dict[str, Any], from_device: bool) -> None:  # noqa: FBT001 - drawn
    arrival = FROM_SDK if from_device else FROM_WEBHOOK
    completed = read_event({**members, "type": "track"}, arrival)

    assert isinstance(completed["messageId"], str)
    assert completed["timestamp"] not in (None, "")
    assert completed["receivedAt" if from_device else "arrivedAt"]


@given(at=st.floats(0, 4e9) | st.integers(0, 10**9).map(lambda second: second + 0.9999996))
def test_the_time_of_arrival_is_written_to_the_millisecond(at: float) -> None:
    written = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")

    assert Arrival.at(at).received == written.replace("+00:00", "Z")
