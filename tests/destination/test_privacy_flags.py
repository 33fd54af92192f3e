"""What was said against tracking is read in whatever way it was said, and an opt-out wins over an opt-in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.destination.privacy_flags import read_opt_out, read_opt_out_type, read_permission
from tests.destination.builders import a_conversion
from tests.destination.test_conversion_event import build
from tests.rows import every_row

NOTHING = [None, "", " ", "\t"]
YES = [True, 1, 1.0, "true", "TRUE", " yes ", "1", [True]]
NO = [False, 0, "false", "No", "0", [["0"]]]
UNREADABLE = [2, -1, "undefined", "null", "n/a", "maybe", "opted-in", {}, {"a": True}, [], [[]], "authorized"]
values = st.sampled_from([*NOTHING, *YES, *NO, *UNREADABLE])


@every_row(
    ("what", "given_value", "opted_out", "permitted"),
    [
        *[("nothing", value, None, None) for value in NOTHING],
        *[("a plain yes", value, True, True) for value in YES],
        *[("a plain no", value, False, False) for value in NO],
        *[("what cannot be read", value, True, False) for value in UNREADABLE],
        ("yes in two places", [True, "yes"], True, True),
        ("no in two places", [False, "no"], False, False),
        ("yes and no", [True, False], True, False),
        ("no and yes", ["no", "yes"], True, False),
        ("yes and nothing", [None, "yes", " "], True, True),
        ("no and what cannot be read", [False, "maybe"], True, False),
        ("yes and what cannot be read", [True, {}], True, False),
        ("nothing in any place", [None, " ", ""], None, None),
    ],
)
def test_an_opt_out_and_a_permission_are_read_on_the_careful_side(
    what: str,
    given_value: Any,
    opted_out: bool | None,  # noqa: FBT001 - columns of the table
    permitted: bool | None,  # noqa: FBT001 - likewise
) -> None:
    assert read_opt_out(given_value)[0] is opted_out, what
    assert read_permission(given_value)[0] is permitted, what


@given(places=st.lists(values, min_size=2, max_size=6))
def test_a_no_in_any_place_wins_in_any_order(places: list[Any]) -> None:
    alone = {read_opt_out(value)[0] for value in places} - {None}

    assert read_opt_out(places)[0] is (None if not alone else True in alone)
    assert read_opt_out(places[::-1])[0] is read_opt_out(places)[0]


def test_what_is_overruled_or_cannot_be_read_is_told() -> None:
    overruled = ": true is sent, since the event says so in one place and the contrary in another"
    assert read_opt_out([False, True]) == (True, (overruled,))
    assert read_permission({}) == (False, (": an object of 0 members cannot be read, false is sent to be careful",))
    assert read_permission("yes") == (True, (": a text of 3 characters read as true",))


@every_row(
    ("given", "sent"),
    [("1YNN", None), ("1---", None), (" 1ynn ", None), ("1YYN", "LDP"), ("1yyn", "LDP"), (["1YNN", "LDP"], "LDP")],
)
def test_of_iabs_us_privacy_string_the_third_letter_says_whether_somebody_opted_out(given: Any, sent: Any) -> None:
    event, _ = build(a_conversion(custom_data={"opt_out_type": given}))

    assert event.get("custom_data", {}).get("opt_out_type") == sent


@every_row(
    ("given", "sent"),
    [
        *[("ldp", "LDP"), (["LDP", "X"], "LDP,X"), ("X, ldp", "X,LDP"), (["LDP"], "LDP"), (" LDP ", "LDP")],
        *[("LDP LDP", "LDP"), ("LDP;x", "LDP,x"), ("x\nldp,", "x,LDP"), (["ldp; x", "LDP"], "LDP,x")],
        *[(f"{word}{after}", f"LDP{after}") for after in ("", ",X") for word in ("L.D.P.", "Limited_Data_Processing")],
        *[("Limited Data Processing", "LDP"), ("limited-data-processing", "LDP"), ("l_d_p", "LDP")],
    ],
)
def test_privacy_flags_are_separated_with_commas(given: Any, sent: str) -> None:
    event, _ = build(a_conversion(custom_data={"opt_out_type": given}))

    assert event["custom_data"]["opt_out_type"] == sent


@every_row(
    ("what", "given", "sent"),
    [
        ("words that say nothing elsewhere", "undefined", "LDP"),
        ("beside LDP", "LDP,undefined", "LDP"),
        ("beside another flag", "N/A;x", "x,LDP"),
        ("in brackets", "LDP, (not set)", "LDP"),
        ("an opt-in", "true", "LDP"),
        ("an opt-in as a flag", True, "LDP"),
        ("an opt-in as a number", 1, "LDP"),
        ("an object", {"a": 1}, "LDP"),
        ("an empty list", [], "LDP"),
        ("an object beside a flag", ["X", {}], "X,LDP"),
        ("marks alone", ",;", "LDP"),
        ("somebody's words", "jane@shop.example", "LDP"),
        ("a phone number beside a flag", "X +4915792386417", "X,LDP"),
        *[
            (f"that somebody opted out: {word}", word, "LDP")
            for word in (
                *(
                    "on",
                    "ON",
                    "y",
                    "t",
                    "2",
                    2,
                    -1,
                    "opt_out",
                    "opted-out",
                    "opt out",
                    "optout",
                    "denied",
                    "restricted",
                ),
                *("unknown", "off", "n", "opt_in", "limited", ["on", "y"], "on;off", "all", "yes, on", "99"),
            )
        ],
        ("a law that Pinterest does not know", "CCPA", "CCPA,LDP"),
        ("two of them", ["CCPA", "GDPR"], "CCPA,GDPR,LDP"),
        ("beside a plain no", ["CCPA", "no"], "CCPA,LDP"),
    ],
)
def test_what_is_given_and_is_no_flag_of_a_privacy_law_counts_as_ldp(what: str, given: Any, sent: str) -> None:
    event, warnings = build(a_conversion(custom_data={"opt_out_type": given}))

    assert event["custom_data"]["opt_out_type"] == sent, what
    assert [warning for warning in warnings if "no flag that Pinterest knows, LDP is sent to be careful" in warning]


@every_row(
    ("what", "given"),
    [
        *[("null", None), ("empty", ""), ("blank", " "), ("blank beside null", [None, "  ", ""])],
        *[
            ("a plain no", False),
            ("an opt-out as a word", "no"),
            ("an opt-out as a number", 0),
            ("an opt-out beside nothing", [None, "0"]),
        ],
    ],
)
def test_what_says_nothing_or_a_plain_no_is_no_flag_of_a_privacy_law(what: str, given: Any) -> None:
    event, warnings = build(a_conversion(custom_data={"opt_out_type": given}))

    assert "custom_data" not in event, what
    assert warnings == []


@pytest.mark.parametrize("given", ["undefined-law", "x_null", "nano", "null.LDP"])
def test_a_privacy_flag_may_hold_such_a_word(given: str) -> None:
    event, _ = build(a_conversion(custom_data={"opt_out_type": given}))

    assert event["custom_data"]["opt_out_type"] == f"{given},LDP"


@given(laws=st.lists(st.sampled_from(["LDP", "X", None, " ", False, "undefined", {}, ["ldp"], "ldp x"]), min_size=1))
def test_ldp_of_any_place_is_sent(laws: list[Any]) -> None:
    sent, _ = read_opt_out_type(laws)

    asked = any(law not in (None, " ", False) for law in laws)
    assert ("LDP" in (sent or "").split(",")) is asked
