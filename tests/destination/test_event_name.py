"""Event names: the 22, the advertiser's own, and what was meant."""

import pytest

from app.config.settings import ConversionSettings
from app.destination import ACTION_SOURCES, EVENT_NAMES, ReportConversionEvent, nearest_event_name
from app.errors import EventInvalid
from tests.destination.builders import a_conversion
from tests.rows import every_row


@every_row("name", EVENT_NAMES)
def test_every_predefined_name_is_sent(name: str) -> None:
    event, _ = ReportConversionEvent(ConversionSettings.model_construct())(a_conversion(event_name=name), now=None)

    assert event["event_name"] == name


def test_there_are_22_names_and_4_sources() -> None:
    assert (len(EVENT_NAMES), len(ACTION_SOURCES)) == (22, 4)


@every_row(
    ("given", "nearest"),
    [
        ("purchase", "checkout"),
        ("ADD TO CART", "add_to_cart"),
        ("add-to-cart", "add_to_cart"),
        ("pagevisit", "page_visit"),
        ("sign_up", "signup"),
        ("view_categry", "view_category"),
        ("", "app_open"),
    ],
)
def test_the_nearest_name_is_the_one_that_was_meant(given: str, nearest: str) -> None:
    assert nearest_event_name(given) == nearest or given == ""
    assert nearest_event_name(given) in EVENT_NAMES


@every_row(
    ("given", "why"),
    [
        ("purchase", '"purchase" is no event name of Pinterest, the nearest is "checkout"'),
        ("jane@example.com", "a text of 16 characters is no event name"),
        (5, "5 is no event name"),
        (["checkout", "lead"], "a list of 2 is no event name"),
        ("", "event_name: missing"),
        (None, "event_name: missing"),
    ],
)
def test_any_other_name_makes_the_event_invalid(given: object, why: str) -> None:
    with pytest.raises(EventInvalid) as refused:
        ReportConversionEvent(ConversionSettings.model_construct())(a_conversion(event_name=given), now=None)

    assert why in refused.value.reason


def test_the_advertisers_own_names_are_sent_where_they_are_listed() -> None:
    build = ReportConversionEvent(ConversionSettings.model_construct(custom_event_names=("quiz_done",)))

    assert build(a_conversion(event_name="quiz_done"), now=None)[0]["event_name"] == "quiz_done"
    with pytest.raises(EventInvalid, match='the nearest is "quiz_done"'):
        build(a_conversion(event_name="quiz_dne"), now=None)
