"""What the rest of Pinrelay sees of a trigger: its bounds and its explanation."""

from typing import Any

from app.trigger import ABSENT, Finding, compile_trigger
from tests.rows import every_row

ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "properties": {"total": 12, "coupon": None, "email": "reto@lumen.example"},
}


def texts(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.text for finding in findings]


def test_it_keeps_its_text() -> None:
    assert compile_trigger(" type = 'page' ").text == " type = 'page' "


def test_triggers_of_one_text_are_equal() -> None:
    assert compile_trigger("type = 'page'") == compile_trigger("type = 'page'")
    assert compile_trigger("type = 'page'") != compile_trigger("type = 'track'")


@every_row(
    ("text", "types", "events"),
    [
        ('type = "track" and event = "A"', {"track"}, {"A"}),
        ('type = "track" and (event = "A" or event = "B")', {"track"}, {"A", "B"}),
        ('type = "page"', {"page"}, None),
        ('type = "track" and properties.a = 1 and userId != null', {"track"}, None),
        ('type = "page" or type = "screen"', {"page", "screen"}, None),
        ('type = "page" or userId = "x"', None, None),
        ('(type = "track" and event = "A") or type = "page"', {"track", "page"}, None),
        ('type = "track" and type = "page"', set(), None),
        ('type != "track" and event != null', None, None),
        ("event = 404", None, None),
        ('!(type = "track")', None, None),
        ('contains(event, "A")', None, None),
    ],
)
def test_it_says_which_types_and_events_can_match_at_all(text: str, types: Any, events: Any) -> None:
    trigger = compile_trigger(text)

    assert (trigger.types, trigger.events) == (types, events)


def test_an_explanation_holds_every_condition_with_the_value_found() -> None:
    text = 'type = "track" and (properties.total > 100 or not contains(properties.email, "@lumen"))'

    found = compile_trigger(text).explain(ORDER)

    assert (found.kind, found.held, found.found) == ("and", False, ABSENT)
    assert [(c.text, c.column, c.held, c.found) for c in found.conditions()] == [
        ('type = "track"', 1, True, "track"),
        ("properties.total > 100", 21, False, 12),
        ('not contains(properties.email, "@lumen")', 47, False, "reto@lumen.example"),
    ]
    assert [part.kind for part in found.parts] == ["condition", "or"]
    assert found.parts[1].text == text[20:-1]


@every_row(
    ("text", "found"),
    [
        ("properties.coupon = null", None),
        ("properties.code = null", ABSENT),
        ("properties.total.sub = null", ABSENT),
        ("properties.a[0].b = null", ABSENT),
        ("traits.a = null", ABSENT),
        ("userId = null", ABSENT),
    ],
)
def test_missing_is_told_from_null(text: str, found: Any) -> None:
    assert compile_trigger(text).explain(ORDER).found is found


@every_row(
    ("text", "blamed"),
    [
        ('type = "track"', []),
        ('type = "page"', ['type = "page"']),
        ('type = "track" and event = "B" and properties.total = 1', ['event = "B"', "properties.total = 1"]),
        ('type = "page" or event = "B"', ['type = "page"', 'event = "B"']),
        ('type = "page" or event = "Order Completed"', []),
        ('!(type = "track")', ['type = "track"']),
        ('!(type = "track" and event = "B")', []),
        ('!(type = "track" or event = "B")', ['type = "track"']),
        ('!(!(type = "page"))', ['type = "page"']),
    ],
)
def test_an_explanation_says_which_conditions_are_to_blame(text: str, blamed: list[str]) -> None:
    assert texts(compile_trigger(text).explain(ORDER).blamed()) == blamed


def test_the_value_found_stays_out_of_logs() -> None:
    found = compile_trigger('contains(properties.email, "x")').explain(ORDER)

    assert found.found == "reto@lumen.example"
    assert "reto" not in repr(found)
