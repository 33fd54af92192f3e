"""Rules 2, 3, 4, 7 and 8 of what Pinterest's tag and plugins say: which of their words are read, and how."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson
import pytest

from app.destination import report_conversion_event
from tests.presets.conftest import Make
from tests.rows import every_row

#: Longest click id.
LONGEST = "dj0" + "a" * 509
COOKIE = "dWlkPU1HSTFOVGs"

#: What the properties say, and what is sent in `custom_data`.
SAID: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "rule 2: Pinterest's own names": [
        (
            {"contents": [{"id": "OA-1", "item_price": "12.4", "quantity": 2, "item_brand_id": "B-7"}]},
            {"content_ids": ["OA-1"], "num_items": 2},
        ),
        (
            {"contents": [{"id": "OA-1", "item_name": "Stool", "item_category": "Seating", "item_brand": "Oak"}]},
            {"contents": [{"id": "OA-1", "item_name": "Stool", "item_category": "Seating", "item_brand": "Oak"}]},
        ),
        (
            {"contents": [{"id": "OA-1", "item_brand_id": "B-7"}]},
            {"contents": [{"id": "OA-1", "item_brand_id": "B-7"}]},
        ),
        ({"content_ids": [1, "b"]}, {"content_ids": ["1", "b"]}),
        ({"num_items": "5"}, {"num_items": 5}),
        ({"content_name": "Stool"}, {"content_name": "Stool"}),
        ({"content_category": "Seating"}, {"content_category": "Seating"}),
        ({"content_brand": "Oak"}, {"content_brand": "Oak"}),
        ({"search_string": "stool"}, {"search_string": "stool"}),
        ({"predicted_ltv": "2794.82"}, {"predicted_ltv": "2794.82"}),
        ({"np": "ss-gtm"}, {"np": "ss-gtm"}),
        ({"query": "sofa", "search_string": "stool"}, {"search_string": "sofa"}),
    ],
    "rule 3: those of the browser's tag": [
        (
            {
                "line_items": [
                    {
                        "product_id": "OA-1",
                        "product_name": "Stool",
                        "product_price": "59.99",
                        "product_quantity": "2",
                        "product_category": "Seating",
                        "product_brand": "Oak",
                    },
                    {"product_id": "OA-2", "product_price": 20},
                ]
            },
            {
                "content_ids": ["OA-1", "OA-2"],
                "num_items": 3,
                "value": "139.98",
                "contents": [
                    {
                        "id": "OA-1",
                        "item_name": "Stool",
                        "item_price": "59.99",
                        "quantity": 2,
                        "item_category": "Seating",
                        "item_brand": "Oak",
                    },
                    {"id": "OA-2", "item_price": "20"},
                ],
            },
        ),
        ({"line_items": [{"product_variant_id": "V-1"}]}, {"content_ids": ["V-1"]}),
        (
            {"product_id": "OA-1", "product_price": 9.5, "order_quantity": 2},
            {"content_ids": ["OA-1"], "num_items": 2, "value": "19"},
        ),
        ({"search_query": "stool"}, {"search_string": "stool"}),
        ({"video_title": "How it is made"}, {"content_name": "How it is made"}),
        ({"lead_type": "newsletter"}, {"content_name": "newsletter"}),
        ({"promo_code": "AUTUMN", "content_name": "x"}, {"content_name": "x"}),
    ],
    "rule 4: a list that is written as text": [
        ({"content_ids": "[1, 2.5, 3]"}, {"content_ids": ["1", "2.5", "3"]}),
        ({"content_ids": '["1" , 2.5, "3"]'}, {"content_ids": ["1", "2.5", "3"]}),
        ({"content_ids": "[1 , , 3]"}, {"content_ids": ["1", "3"]}),
        ({"content_ids": "OA-1"}, {"content_ids": ["OA-1"]}),
        ({"content_ids": '[{"id": 1}, "OA-1"]'}, {"content_ids": ["OA-1"]}),
        ({"contents": '[{"id":"OA-1","item_price":"12.4","quantity":12}]'}, {"content_ids": ["OA-1"], "num_items": 12}),
        ({"contents": ' [{"id":"x"}] '}, {"content_ids": ["x"]}),
        ({"products": '[{"product_id": "OA-1", "price": 4}]'}, {"content_ids": ["OA-1"], "value": "4"}),
        ({"items": '{"item_id": "OA-1"}'}, {"content_ids": ["OA-1"]}),
        ({"line_items": '[{product_id:"OA-1"}]', "content_ids": "OA-2"}, {"content_ids": ["OA-2"]}),
        ({"items": "[" * 9 + "]" * 9, "content_ids": "OA-2"}, {"content_ids": ["OA-2"]}),
    ],
}


@pytest.mark.parametrize("rule", SAID)
def test_what_pinterests_words_say_is_sent(rule: str, sent_of: Make) -> None:
    wrong = []
    for properties, expected in SAID[rule]:
        sent = sent_of(properties=properties).get("custom_data", {})
        if {name: sent.get(name) for name in expected} != expected:
            wrong.append((properties, sent))
    assert wrong == []


#: Lists of other vocabularies, each with three pieces of OA-9 at 5.
LISTS: dict[str, list[dict[str, Any]]] = {
    "products": [{"product_id": "OA-9", "price": 5, "quantity": 3}],
    "items": [{"item_id": "OA-9", "price": 5, "quantity": 3}],
    "line_items": [{"product_id": "OA-9", "price": 5, "quantity": 3}],
}
CONTENTS = [{"id": "OA-1", "item_price": "7", "quantity": 1}, {"id": "OA-2", "item_price": "2", "quantity": 1}]
#: One of Pinterest's own words beside such a list -> what is sent; all else comes from the list.
OWN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"contents": CONTENTS},
        {"contents": CONTENTS, "content_ids": ["OA-1", "OA-2"], "num_items": 2, "value": "9"},
    ),
    ({"content_ids": ["OA-1"]}, {"content_ids": ["OA-1"]}),
    ({"num_items": 8}, {"num_items": 8}),
    (
        {"contents": CONTENTS, "num_items": 8},
        {"contents": CONTENTS, "num_items": 8, "content_ids": ["OA-1", "OA-2"], "value": "9"},
    ),
    (
        {"contents": CONTENTS, "content_ids": "OA-3"},
        {"contents": CONTENTS, "content_ids": ["OA-3"], "num_items": 2, "value": "9"},
    ),
    ({"contents": []}, {}),
    ({"content_ids": [], "num_items": ""}, {}),
]


@every_row("name", LISTS)
@every_row("write", [lambda value: value, lambda value: orjson.dumps(value).decode()], ids=["plain", "JSON text"])
def test_pinterests_own_words_win_each_field_on_its_own(name: str, write: Callable[[Any], Any], sent_of: Make) -> None:
    theirs = {
        "contents": [{"id": "OA-9", "item_price": "5", "quantity": 3}],
        "content_ids": ["OA-9"],
        "num_items": 3,
        "value": "15",
    }
    for own, expected in OWN:
        given = {key: write(value) if isinstance(value, list) else value for key, value in own.items()}
        sent = sent_of(properties={name: LISTS[name], **given})["custom_data"]
        assert {key: sent.get(key) for key in theirs} == theirs | expected, own


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


ANN, BEN = digest("ann@lumen.example"), digest("ben@lumen.example")
PERSON: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"email": "ann@lumen.example"}, {"em": [ANN]}),
    ({"email_address": "ann@lumen.example"}, {"em": [ANN]}),
    ({"em": ["ann@lumen.example"]}, {"em": [ANN]}),
    ({"email_address": ["ann@lumen.example", "ben@lumen.example"]}, {"em": [ANN, BEN]}),
    ({"email_address": "[ann@lumen.example,ben@lumen.example]"}, {"em": [ANN, BEN]}),
    ({"external_id": "C-1"}, {"external_id": [digest("c-1")]}),
    ({"gender": "female"}, {"ge": [digest("f")]}),
    ({"ge": "m"}, {"ge": [digest("m")]}),
    ({"date_of_birth": "19910526"}, {"db": [digest("19910526")]}),
    ({"db": "1991-05-26"}, {"db": [digest("19910526")]}),
    ({"date_of_birth": "12/25/1985"}, {"db": [digest("19851225")]}),
    ({"date_of_birth": "25.12.1985"}, {"db": [digest("19851225")]}),
    ({"date_of_birth": "12/12/1985"}, {"db": [digest("19851212")]}),
    ({"date_of_birth": "25-12-1985 00:00:00"}, {"db": [digest("19851225")]}),
    ({"date_of_birth": "4/5/1985", "db": "1985-05-04"}, {"db": [digest("19850504")]}),
    ({"date_of_birth": "4/5/1985"}, {"db": None}),
    ({"date_of_birth": "31.02.1985"}, {"db": None}),
    ({"date_of_birth": "12/25/85"}, {"db": None}),
    ({"date_of_birth": "12/25.1985"}, {"db": None}),
    ({"hashed_maids": "EA7583CD-A667"}, {"hashed_maids": [digest("ea7583cd-a667")]}),
    ({"click_id": "dj0yJnU9"}, {"click_id": "dj0yJnU9"}),
    ({"fn": "Ann", "ln": "Moe"}, {"fn": [digest("ann")], "ln": [digest("moe")]}),
    (
        {"ct": "Menlo Park", "st": "CA", "zp": "94025", "country": "US"},
        {"ct": [digest("menlopark")], "st": [digest("ca")]},
    ),
    ({"ph": "+1 415 555 1234"}, {"ph": [digest("14155551234")]}),
]


def test_who_it_was_is_read_under_pinterests_names_and_ga4s(sent_of: Make) -> None:
    """Rule 2."""
    wrong = []
    for user_data, expected in PERSON:
        sent = sent_of(userId=None, properties={"user_data": user_data})["user_data"]
        if {name: sent.get(name) for name in expected} != expected:
            wrong.append((user_data, sent))
    assert wrong == []


PAGES = [
    ("https://shop.example/a", "https://shop.example/a"),
    ("HTTP://shop.example/a", "HTTP://shop.example/a"),
    ("shop.example/a", "https://next.example/"),
    ("/a", "https://next.example/"),
    ("android-app://example.shop", "https://next.example/"),
    ("about:blank", "https://next.example/"),
    ("file:///tmp/a.html", "https://next.example/"),
]


@every_row(("url", "sent"), PAGES)
def test_a_page_is_http_or_https_else_the_next_place_is_read(url: str, sent: str, sent_of: Make) -> None:
    """Rule 7."""
    event = sent_of(context={"page": {"url": url}}, properties={"url": "https://next.example/"})
    assert event["event_source_url"] == sent


CLICK_IDS = [
    ("dj0yJnU9b2JDcFFH", True),
    ("dj0-_.~%41", True),
    ("dj0", True),
    ("a-_.~%41", False),
    ("EAIaIQobChMI", False),  # Google's
    ("IwAR2abc", False),  # Facebook's
    ("DJ0yJnU9", False),
    (LONGEST, True),
    (LONGEST + "a", False),
    ("dj0 yJnU9", False),
    ("<script>", False),
    ("dj0+a", False),
]


@every_row(("click_id", "is_one"), CLICK_IDS)
def test_a_click_id_is_of_its_characters_and_length_else_the_next_place_is_read(
    click_id: str,
    is_one: bool,  # noqa: FBT001 - a column
    sent_of: Make,
) -> None:
    """Rule 7."""
    event = sent_of(properties={"epik": click_id}, context={"cookies": {"_epik": "dj0next"}})
    assert event["user_data"]["click_id"] == (click_id if is_one else "dj0next")


FOREIGN = "EAIaIQobChMIabc"
CLICK_PLACES: list[dict[str, Any]] = [
    *({"properties": {name: FOREIGN}} for name in ("epik", "click_id", "clickId", "_epik")),
    {"properties": {"user_data": {"click_id": FOREIGN}}},
    {"properties": {"user_data": [{"click_id": FOREIGN}]}},
    {"properties": {"common_cookie": {"_epik": FOREIGN}}},
    {"properties": {"landing_site": f"/?epik={FOREIGN}"}},
    *({"context": {"campaign": {name: FOREIGN}}} for name in ("epik", "click_id")),
    {"context": {"cookies": {"_epik": FOREIGN}}},
    *({"context": {"page": {name: f"https://shop.example/?epik={FOREIGN}"}}} for name in ("url", "search", "referrer")),
]


@every_row("event", CLICK_PLACES, ids=str)
def test_a_click_id_of_another_network_is_sent_from_no_place(event: dict[str, Any], sent_of: Make) -> None:
    assert "click_id" not in sent_of(**event)["user_data"]


COOKIES = [
    (COOKIE, [digest("user-1"), digest(COOKIE), digest(COOKIE.lower())]),
    ("abc123", [digest("user-1"), digest("abc123")]),
    (" abc123 ", [digest("user-1"), digest("abc123")]),
    ("user-1", [digest("user-1")]),
    ("{{cookie}}", [digest("user-1")]),
    ("a" * 1_001, [digest("user-1")]),
    ({}, [digest("user-1")]),
    (None, [digest("user-1")]),
]


@every_row(("cookie", "expected"), COOKIES, ids=lambda each: str(each)[:20])
def test_the_tags_cookie_is_one_more_external_id(cookie: Any, expected: list[str], sent_of: Make) -> None:
    """Rule 8: as it is and in small letters."""
    event = sent_of(userId="user-1", context={"cookies": {"_pin_unauth": cookie}})
    assert event["user_data"]["external_id"] == expected


def test_the_tags_cookie_alone_identifies_nobody_and_memory_does_not_see_it() -> None:
    """Rule 8: it makes no second person."""
    seen: list[dict[str, Any]] = []
    fields = {
        "event_name": "search",
        "action_source": "web",
        "event_time": 1_795_601_400,
        "event_id": "m-1",
        "user_data": {"email": "ann@lumen.example", "external_id": "user-1"},
        "pin_unauth": COOKIE,
    }
    event, _ = report_conversion_event(
        fields, now=None, complete=lambda user_data: seen.append(orjson.loads(orjson.dumps(user_data)))
    )
    assert seen == [{"em": [ANN], "external_id": [digest("user-1")]}]
    assert event["user_data"]["external_id"] == [digest("user-1"), digest(COOKIE), digest(COOKIE.lower())]
