"""An opt-out is found wherever an event says it, and wins over an opt-in that stands elsewhere."""

from collections.abc import Callable
from itertools import chain, combinations
from typing import Any

import pytest

from app.config.settings import ConversionSettings
from app.destination import ReportConversionEvent, report_conversion_event
from tests.presets.conftest import Make
from tests.presets.test_defaults import only
from tests.rows import every_row

CALIFORNIA = {"address": {"state": "CA", "country": "US"}}
MAID = "7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB"
#: Each place where an event may refuse tracking, with a value that is an opt-out and one that is an opt-in.
PLACES: dict[str, tuple[Any, Any]] = {
    **{
        f"{where}.{name}": (True, False)
        for where in ("properties", "context", "context.traits", "traits")
        for name in ("opt_out", "optOut")
    },
    "context.device.adTrackingEnabled": (False, True),
    "context.device.attTrackingStatus": (2, 3),
    "context.device.trackingStatus": ("denied", "authorized"),
}


def merged(*events: dict[str, Any]) -> dict[str, Any]:
    """Lay objects over each other."""
    result: dict[str, Any] = {}
    for event in events:
        for key, value in event.items():
            under = result.get(key)
            result[key] = merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return result


@every_row("place", PLACES)
def test_a_no_in_any_one_place_opts_out(place: str, sent_of: Make) -> None:
    no, yes = PLACES[place]

    assert sent_of(**only(place, no)).get("opt_out") is True
    assert sent_of(**only(place, yes)).get("opt_out") is False
    assert sent_of(**only(place, "maybe")).get("opt_out") is True
    assert sent_of(**only(place, "undefined")).get("opt_out") is True
    assert [sent_of(**only(place, nothing)).get("opt_out") for nothing in (None, "", " ")] == [None, None, None]


@every_row("place", PLACES)
def test_a_no_in_one_place_wins_over_a_yes_in_another(place: str, sent_of: Make) -> None:
    no = only(place, PLACES[place][0])
    sent = {other: sent_of(**merged(no, only(other, yes))) for other, (_, yes) in PLACES.items() if other != place}

    assert [other for other, event in sent.items() if event["opt_out"] is not True] == []


def in_lists(place: str, value: Any, listed: set[int]) -> dict[str, Any]:
    """Nest a value as `only` does, with the objects at these depths each as the second of a list."""
    for depth, key in reversed(list(enumerate(place.split(".")))):
        value = {key: value} if depth not in listed else {key: [{"other": 1}, value]}
    event: dict[str, Any] = value
    return event


@every_row("place", [*PLACES, "context.gpc"])
def test_a_no_is_read_in_a_list_where_an_object_is_expected(place: str, fields_of: Make) -> None:
    no, yes = PLACES.get(place, (True, False))
    depths = range(place.count("."))
    answers = {True: set[Any](), False: set[Any]()}
    for listed in chain.from_iterable(combinations(depths, number) for number in range(1, len(depths) + 1)):
        for is_opt_out, value in ((True, no), (False, yes)):
            fields = fields_of(**in_lists(place, value, set(listed)))
            sent, _ = report_conversion_event(fields | {"user_data": {"email": "a@b.co"}}, now=None)
            answers[is_opt_out].add(sent.get("opt_out"))

    assert answers == {True: {True}, False: {None if place == "context.gpc" else False}}


@pytest.mark.parametrize(
    "event",
    [
        {"context": [{"device": {"adTrackingEnabled": False, "advertisingId": MAID}}]},
        {"context": {"device": [{"adTrackingEnabled": True}, {"attTrackingStatus": 2}]}},
        {"context": {"device": [[{"trackingStatus": "denied"}]]}},
    ],
)
def test_no_advertising_id_is_sent_beside_a_no_in_a_list(event: dict[str, Any], fields_of: Make) -> None:
    named = {"properties": {"user_data": {"hashed_maids": MAID, "email": "a@b.co"}}}

    sent, _ = report_conversion_event(fields_of(**named, **event), now=None)

    assert sent["opt_out"] is True
    assert "hashed_maids" not in sent["user_data"]


@pytest.mark.parametrize(
    "event",
    [
        {"context": {"traits": [CALIFORNIA]}},
        {"context": {"traits": {"address": [CALIFORNIA["address"]]}}},
        {"properties": [{"billing": CALIFORNIA["address"]}], "traits": {"email": "a@b.co"}},
    ],
)
def test_a_listed_state_is_found_in_a_list_too(event: dict[str, Any], fields_of: Make) -> None:
    build = ReportConversionEvent(ConversionSettings.model_construct(ldp_states=("CA",)))

    sent, _ = build(fields_of(**{"properties": {"email": "a@b.co"}, **event}), now=None)

    assert sent["custom_data"]["opt_out_type"] == "LDP"


def test_what_is_overruled_is_told(told_by: Callable[..., list[str]]) -> None:
    told = told_by(properties={"opt_out": False, "optOut": True})

    assert "opt_out: true is sent, since the event says so in one place and the contrary in another" in told


@every_row(
    ("what", "device", "opt_out", "allowed", "has_maid"),
    [
        ("not determined", {"attTrackingStatus": 0}, True, False, False),
        ("restricted", {"attTrackingStatus": 1}, True, False, False),
        ("denied", {"attTrackingStatus": 2}, True, False, False),
        ("permission", {"attTrackingStatus": 3}, False, True, True),
        ("permission as a text", {"attTrackingStatus": "3"}, False, True, True),
        ("what cannot be read", {"attTrackingStatus": "authorised"}, True, False, False),
        ("an opt-in that is no status", {"attTrackingStatus": True}, True, False, False),
        ("nothing", {"attTrackingStatus": None}, None, None, False),
        ("denied, as Segment's SDKs say it", {"trackingStatus": "denied"}, True, False, False),
        ("not determined, likewise", {"trackingStatus": "notDetermined"}, True, False, False),
        ("permission, likewise", {"trackingStatus": "authorized"}, False, True, True),
        ("a word beside an opt-in", {"trackingStatus": "restricted", "adTrackingEnabled": True}, True, False, False),
        ("both say yes", {"attTrackingStatus": 3, "adTrackingEnabled": True}, False, True, True),
        ("denied beside an opt-in", {"attTrackingStatus": 2, "adTrackingEnabled": True}, True, False, False),
        ("permission beside an opt-out", {"attTrackingStatus": 3, "adTrackingEnabled": False}, True, False, False),
        ("an opt-out alone", {"adTrackingEnabled": False}, True, False, False),
        ("an opt-in alone", {"adTrackingEnabled": "yes"}, False, True, True),
    ],
)
def test_the_status_of_app_tracking_transparency(
    what: str,
    device: dict[str, Any],
    opt_out: bool | None,  # noqa: FBT001 - a column
    allowed: bool | None,  # noqa: FBT001 - a column
    has_maid: bool,  # noqa: FBT001 - a column
    sent_of: Make,
) -> None:
    sent = sent_of("Application Opened (iOS)", context={"device": device | {"advertisingId": MAID}})

    assert sent.get("opt_out") is opt_out, what
    assert ("hashed_maids" in sent["user_data"]) is has_maid


@pytest.mark.parametrize(
    ("device", "has_maid"), [({}, True), ({"adTrackingEnabled": True}, True), ({"adTrackingEnabled": False}, False)]
)
def test_a_no_of_the_device_holds_for_advertising_ids_that_the_event_names_itself(
    device: dict[str, Any],
    has_maid: bool,  # noqa: FBT001 - a column
    sent_of: Make,
) -> None:
    sent = sent_of(properties={"user_data": {"hashed_maids": MAID}}, context={"device": device})

    assert ("hashed_maids" in sent["user_data"]) is has_maid


@every_row(
    ("what", "event", "opt_out"),
    [
        ("the header of a browser", {"context": {"gpc": "1"}}, True),
        ("a flag of the event", {"context": {"gpc": True}}, True),
        ("the header beside an opt-in of the event", {"context": {"gpc": [False, "1"]}}, True),
        ("what cannot be read", {"context": {"gpc": "?"}}, True),
        ("a context that is no object", {"gpc": "1", "context": "text"}, True),
        ("not lifted by an opt-out that is none", {"context": {"gpc": "1", "optOut": False}}, True),
        ("no", {"context": {"gpc": "0"}}, None),
        ("nothing", {"context": {"gpc": ""}}, None),
    ],
)
def test_global_privacy_control_is_a_no(what: str, event: dict[str, Any], opt_out: Any, fields_of: Make) -> None:
    fields = fields_of(**event)
    sent, _ = report_conversion_event(fields | {"user_data": {"email": "a@b.co"}}, now=None)

    assert sent.get("opt_out") is opt_out, what
    assert "gpc" not in sent


@every_row("name", ["opt_out_type", "optOutType"])
@every_row("place", ["properties", "context", "context.traits", "traits"])
def test_flags_of_privacy_laws_are_read_in_every_place(place: str, name: str, sent_of: Make) -> None:
    event = merged(only("properties.opt_out_type", "X"), only(f"{place}.{name}", "ldp"))

    assert "LDP" in sent_of(**event)["custom_data"]["opt_out_type"]


@pytest.mark.parametrize(
    ("what", "event"),
    [
        (name, merged(only(f"{place}.country", "US"), only(f"{place}.{name}", "California")))
        for place in (
            *("traits", "context.traits.address"),
            *(
                f"{holder}.{block}"
                for holder in ("properties", "context.traits", "traits")
                for block in (
                    "billing",
                    "billing_address",
                    "billingAddress",
                    "shipping",
                    "shipping_address",
                    "shippingAddress",
                )
            ),
        )
        for name in ("state", "region", "province", "province_code", "region_code")
    ],
)
def test_a_listed_state_is_found_in_every_spelling_and_place(what: str, event: dict[str, Any], limited: Make) -> None:
    sent = limited(**event)

    assert sent["custom_data"]["opt_out_type"] == "LDP", what
    assert ("st" in sent["user_data"]) or sent["opt_out"] is True
