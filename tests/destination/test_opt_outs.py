"""What a person opted out of is sent so that Pinterest heeds it: as `opt_out`, as LDP, or as both."""

from hashlib import sha256
from typing import Any

import pytest

from app.core.values.candidates import Blocks
from tests.destination.builders import a_conversion
from tests.destination.test_conversion_event import build
from tests.rows import every_row

SAYS_NO = "opt_out: true is sent, the person's browser says no by Global Privacy Control"
IGNORED = "opt_out: true is sent, since LDP will be ignored by Pinterest, user_data lacks "
OTHER_STATE = "opt_out: true is sent, since LDP holds by a state that is not the one that is sent"
UNREADABLE = "opt_out: true is sent, since the event names a state that cannot be read"
NO_STATE = "LDP_STATES: the event names no state of a person in the USA, so LDP is not set by it"
COMPLETED = "user_data.country: DEFAULT_COUNTRY is sent, LDP needs a country"
CALIFORNIA = {"state": "CA", "country": "US"}
NEVADA = {"state": "NV", "country": "US"}
BERLIN = {"state": "BE", "country": "DE"}


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def block(values: dict[str, Any], *, is_recipient: bool = False) -> dict[str, Any]:
    return {
        "place": "x",
        "is_recipient": is_recipient,
        "values": {name: [[name, value]] for name, value in values.items()},
    }


def built(
    user_data: dict[str, Any], *blocks: dict[str, Any], rules: dict[str, Any], **fields: Any
) -> tuple[Any, Any, Any]:
    """Return `opt_out`, `opt_out_type` and the warnings of an event of a person with an e-mail address."""
    person = {"email": "a@b.co"} | user_data
    event, warnings = build(a_conversion(user_data=person, person_blocks=Blocks(blocks), **fields), **rules)
    return event.get("opt_out"), event.get("custom_data", {}).get("opt_out_type"), warnings


@every_row(
    ("what", "gpc", "opt_out"),
    [
        ("a browser says 1", "1", True),
        ("a flag", True, True),
        ("what cannot be read", "?1", True),
        ("one of two places", [False, "1"], True),
        ("0 is none", "0", None),
        ("false is none", False, None),
        ("blank says nothing", " ", None),
    ],
)
def test_global_privacy_control_opts_out_by_default(what: str, gpc: Any, opt_out: bool | None) -> None:  # noqa: FBT001
    assert built({}, rules={}, gpc=gpc) == (opt_out, None, [SAYS_NO] if opt_out else []), what


def test_global_privacy_control_is_not_lifted_by_the_event() -> None:
    assert built({}, rules={}, gpc="1", opt_out=False) == (True, None, [SAYS_NO])


@every_row(
    ("what", "place", "rules", "opt_out", "warnings"),
    [
        ("state and country are sent", NEVADA, {}, None, []),
        ("the country is completed", {"state": "NV"}, {"default_country": "us"}, None, [COMPLETED]),
        ("no state", {"country": "US"}, {}, True, [IGNORED + "state"]),
        ("no country", {"state": "NV"}, {}, True, [IGNORED + "country"]),
        ("neither", {}, {}, True, [IGNORED + "state and country"]),
    ],
)
def test_global_privacy_control_may_limit_processing_instead(
    what: str, place: dict[str, str], rules: dict[str, Any], opt_out: Any, warnings: list[str]
) -> None:
    assert built(place, rules={"gpc": "ldp"} | rules, gpc="1") == (opt_out, "LDP", warnings), what


def test_global_privacy_control_may_be_ignored() -> None:
    assert built({}, rules={"gpc": "ignore"}, gpc="1") == (None, None, [])


@every_row(
    ("what", "place", "rules", "opt_out", "warnings"),
    [
        ("state and country are sent", CALIFORNIA, {}, None, []),
        ("no country, and none by default", {"state": "CA"}, {}, True, [IGNORED + "country"]),
        ("no country, but one by default", {"state": "CA"}, {"default_country": "US"}, None, [COMPLETED]),
        ("no state", {"country": "US"}, {}, True, [IGNORED + "state"]),
        ("neither", {}, {}, True, [IGNORED + "state and country"]),
    ],
)
def test_ldp_of_the_event_itself_is_sent_so_that_it_holds(
    what: str, place: dict[str, str], rules: dict[str, Any], opt_out: Any, warnings: list[str]
) -> None:
    found = built(place, rules=rules, custom_data={"opt_out_type": "LDP"})

    assert found == (opt_out, "LDP", warnings), what


@every_row(
    ("what", "user_data", "blocks", "opt_out", "ldp", "warnings"),
    [
        ("a listed state", CALIFORNIA, [], None, "LDP", []),
        ("by its name", {"state": "California", "country": "USA"}, [], None, "LDP", []),
        ("already hashed", {"state": digest("ca"), "country": digest("us")}, [], None, "LDP", []),
        ("another state", NEVADA, [], None, None, []),
        ("a state of another country", {"state": "CA", "country": "IT"}, [], None, None, []),
        (
            "one whose code says so beside another country",
            {"state": "US-CA", "country": "DE"},
            [],
            True,
            "LDP",
            [OTHER_STATE],
        ),
        ("elsewhere too", BERLIN, [block({"state": ["us-ca"], "country": "DE"})], True, "LDP", [OTHER_STATE]),
        ("one whose code says another country", {"state": "IT-CA"}, [], None, None, []),
        ("a listed state without a country", {"state": "CA"}, [], True, "LDP", [IGNORED + "country"]),
        (
            "a listed state elsewhere in the event",
            NEVADA,
            [block(CALIFORNIA)],
            True,
            "LDP",
            [OTHER_STATE],
        ),
        (
            "a listed state of the recipient",
            NEVADA,
            [block(CALIFORNIA, is_recipient=True)],
            True,
            "LDP",
            [OTHER_STATE],
        ),
        (
            "a listed state of another country elsewhere",
            NEVADA,
            [block({"state": "CA", "country": "IT"})],
            None,
            None,
            [],
        ),
        (
            "a listed state elsewhere and none sent",
            {},
            [block(CALIFORNIA)],
            True,
            "LDP",
            [IGNORED + "state and country"],
        ),
        (
            "one of several spellings, another of which cannot be read",
            {},
            [block({"state": ["West", "CA"]})],
            True,
            "LDP",
            [IGNORED + "state and country and the event names a state that cannot be read"],
        ),
        (
            "a state in the USA that cannot be read",
            {"state": "Quaggenland", "country": "US"},
            [],
            True,
            None,
            [UNREADABLE],
        ),
        ("one without a country", {"state": "Quaggenland"}, [], True, None, [UNREADABLE]),
        ("one of another country", {"state": "Quaggenland", "country": "DE"}, [], None, None, []),
        ("one elsewhere in the event", NEVADA, [block({"state": "Quaggenland"})], True, None, [UNREADABLE]),
        ("one beside one that can", {}, [block({"state": ["NV", "West"], "country": "US"})], True, None, [UNREADABLE]),
        ("one beside one that can, of the mapping", NEVADA | {"state": ["NV", "West"]}, [], True, None, [UNREADABLE]),
        ("an object beside one", {}, [block({"state": ["NV", {"code": "CA"}]})], True, None, [UNREADABLE]),
        (
            "a listed state of one of several people",
            BERLIN,
            [block({"state": ["BE", "CA"], "country": ["DE", "US"]})],
            True,
            "LDP",
            [OTHER_STATE],
        ),
        ("a blank beside one", {}, [block({"state": ["NV", " ", None, {}], "country": "US"})], None, None, []),
        (
            "beside it an unknown country",
            BERLIN,
            [block({"state": "CA", "country": "Atlantis"})],
            True,
            "LDP",
            [OTHER_STATE],
        ),
        ("beside it no country", BERLIN, [block({"state": "CA", "country": "-"})], None, None, []),
        ("an object", NEVADA, [block({"state": {"code": "CA"}})], True, None, [UNREADABLE]),
        ("an account's state, as Shopify's customers have", {}, [block({"state": "disabled"})], None, None, []),
        ("that beside a country", {}, [block({"state": " Invited", "country": "US"})], None, None, [NO_STATE]),
        ("that before a place", {}, [block({"state": ["enabled", "NV"], "country": "US"})], None, None, []),
        (
            "that beside another that is listed",
            NEVADA,
            [block({"state": "declined"}), block(CALIFORNIA)],
            True,
            "LDP",
            [OTHER_STATE],
        ),
        ("no state in the USA", {"country": "US"}, [], None, None, [NO_STATE]),
        (
            "no state, the USA elsewhere",
            {},
            [block({"country": "US"}, is_recipient=True)],
            None,
            None,
            [NO_STATE],
        ),
        ("no state elsewhere", {"country": "DE"}, [], None, None, []),
        ("no place at all", {}, [], None, None, []),
    ],
)
def test_ldp_holds_for_the_states_of_the_settings(
    what: str, user_data: dict[str, Any], blocks: list[Any], opt_out: Any, ldp: Any, warnings: list[str]
) -> None:
    found = built(user_data, *blocks, rules={"ldp_states": frozenset({"CA", "CO"})})

    assert found[:2] == (opt_out, ldp), what
    assert [warning for warning in found[2] if not warning.startswith("user_data.state")] == warnings, what


@pytest.mark.parametrize(
    ("what", "place", "default_country", "opt_out", "country"),
    [
        ("the default is the USA", {"state": "CA"}, "US", None, "us"),
        ("the default is elsewhere: no country of this state", {"state": "CA"}, "DE", True, "de"),
        ("the event's own country stays", CALIFORNIA, "DE", None, "us"),
    ],
)
def test_ldp_completes_the_country(
    what: str, place: dict[str, str], default_country: str, opt_out: Any, country: str
) -> None:
    rules: dict[str, Any] = {"ldp_states": frozenset({"CA"}), "default_country": default_country}
    event, _ = build(a_conversion(user_data={"email": "a@b.co"} | place), **rules)

    assert event["user_data"]["country"] == [digest(country)], what
    assert event["custom_data"]["opt_out_type"] == "LDP"
    assert event.get("opt_out") is opt_out


def test_no_country_is_completed_where_no_law_asks_for_it() -> None:
    event, _ = build(a_conversion(user_data={"email": "a@b.co", "state": "NV"}), default_country="US")

    assert "country" not in event["user_data"]


def test_no_state_with_a_default_country_in_the_usa_is_counted_too() -> None:
    rules = {"ldp_states": frozenset({"CA"}), "default_country": "US"}

    assert built({}, rules=rules) == (None, None, [NO_STATE])


def test_ldp_joins_other_flags() -> None:
    rules = {"ldp_states": frozenset({"CA"})}

    assert built(CALIFORNIA, rules=rules, custom_data={"opt_out_type": "LDP,X"}) == (None, "LDP,X", [])
    assert built(CALIFORNIA, rules=rules, custom_data={"opt_out_type": "no"}) == (None, "LDP", [])
