"""A recorded test holds no personal data of its event, and passes."""

import json
from random import Random
from typing import Any

from app import assemble
from app.core.values.hidden_emails import holds_email
from app.pipeline.explain import Explainer
from app.pipeline.recording import MadeUp, recorded
from tests import assembled
from tests.pipeline.test_file_tests import differences
from tests.rows import every_row

NOW = 1_795_601_700.0
#: Every text of it that stands for a person has this in it.
SECRET = "lovelace"
ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": f"{SECRET}-123",
    "userId": f"{SECRET}-77",
    "anonymousId": "6a1b2c3d-4711",
    "timestamp": "2026-11-25T10:15:00.000Z",
    "context": {
        "ip": "84.12.7.9",
        "userAgent": f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) {SECRET}",
        "locale": "de-DE",
        "device": {"type": "ios"},
        "page": {"url": f"https://www.{SECRET}.de/thanks/{SECRET}?epik=dj0yJnU9{SECRET}&email={SECRET}%40x.de"},
        "traits": {
            "email": f"Ada.{SECRET}@gmail.com",
            "phone": "+49 151 23456789",
            "firstName": SECRET.title(),
            "birthday": "1985-10-12",
            "address": {"city": SECRET, "country": "DE", "postalCode": "10119", "street": f"{SECRET} 5"},
        },
    },
    "properties": {
        "order_id": f"SO-{SECRET}",
        "customer_number": 4_155_551_234,
        "revenue": 20.5,
        "total": "24.50",
        "currency": "EUR",
        "paid_at": 1_795_601_700,
        "gift": True,
        "products": [{"product_id": "P-9", "name": f"Sofa {SECRET}", "price": 20.5, "quantity": 1}],
    },
}
DIGITS = ("84.12.7.9", "23456789", "1985-10-12", "10119", "4155551234", "4711")


def made_up(event: Any) -> Any:
    return MadeUp(assembled.shipped_catalog(), Random(1))(event)


def test_nothing_personal_is_left_and_the_form_is_the_same() -> None:
    made = made_up(ORDER)
    text = json.dumps(made).lower()
    assert SECRET not in text
    assert [digits for digits in DIGITS if digits in text] == []
    for path in (("type",), ("event",), ("timestamp",), ("context", "locale"), ("context", "device", "type")):
        assert at(made, path) == at(ORDER, path)
    for name in ("revenue", "total", "currency", "paid_at", "gift"):
        assert made["properties"][name] == ORDER["properties"][name]
    traits = made["context"]["traits"]
    assert traits["email"].endswith("@example.com")
    assert holds_email(traits["email"])
    assert (traits["phone"][:4], len(traits["phone"])) == ("+49 ", len("+49 151 23456789"))
    assert traits["address"]["country"] == "DE"
    assert traits["address"]["postalCode"].isdecimal()
    assert made["context"]["page"]["url"].startswith("https://shop.example/")
    assert "?epik=" in made["context"]["page"]["url"]
    assert len(made["messageId"]) == len(ORDER["messageId"])


def at(event: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        event = event[key]
    return event


@every_row(
    ("given", "form"),
    [
        ("2001:67c::1", "2001:db8::"),
        ("analytics-node/2.1.0", "analytics-node/2.1.0"),
        ("Mozilla/5.0 (Linux; Android 14) x", "Mozilla/5.0 (Linux; Android 15)"),
        ("Mozilla/5.0 (Windows NT 10.0) x", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("USD", "USD"),
        ("yes", "yes"),
        (7, 7),
        (None, None),
        (2.5, 2.5),
    ],
)
def test_some_values_keep_what_decides_their_way(given: Any, form: Any) -> None:
    made = made_up({"properties": {"x": given}})["properties"]["x"]
    assert made == form or str(made).startswith(str(form))


def test_a_digest_stays_one() -> None:
    made = made_up({"properties": {"x": "0a" * 32}})["properties"]["x"]
    assert (len(made), set(made) <= set("0123456789abcdef"), made == "0a" * 32) == (64, True, False)


def test_equal_values_stay_equal_and_others_differ_each_time() -> None:
    made = made_up({"userId": "abcdefgh", "properties": {"customer": "abcdefgh"}})
    assert made["userId"] == made["properties"]["customer"] != "abcdefgh"
    others = {MadeUp(assembled.shipped_catalog(), Random(seed))(ORDER)["userId"] for seed in range(5)}
    assert len(others) == 5


async def record(event: dict[str, Any], *, is_trusted: bool = True, source: str = "default") -> tuple[Any, bool]:
    explainer = Explainer(assemble.router_of_test({}))
    return await recorded(
        event,
        explainer,
        assembled.shipped_catalog(),
        Random(1),
        now=NOW,
        source=source,
        is_trusted=is_trusted,
    )


async def test_a_recorded_test_passes_and_goes_the_same_way_as_the_event() -> None:
    tests, goes_alike = await record(ORDER | {"arrivedAt": NOW, "idIsMade": True}, is_trusted=False, source="shop")
    assert goes_alike
    ((file, made),) = tests.items()
    assert file.endswith("presets/order_completed.yaml")
    assert (made["source"], made["trust"], made["now"]) == ("shop", "public", "2026-11-25T10:15:00+00:00")
    assert made["event"].keys() == ORDER.keys()
    assert made["expect"]["fields"]["user_data.em"].keys() == {"digest"}
    assert made["expect"]["fields"]["custom_data.value"] == "20.5"
    assert SECRET not in json.dumps(made).lower()
    assert differences({**made, "name": "a test"}, mapping={"event_name": "checkout"}) == ()


async def test_an_invalid_event_is_recorded_as_that_and_one_that_no_preset_takes_gives_no_test() -> None:
    ((_, made),) = (await record({**ORDER, "userId": None, "context": {}}))[0].items()
    assert made["expect"] == {"outcome": "invalid"}
    assert "source" not in made
    assert "trust" not in made
    assert await record({**ORDER, "event": "Other"}) == ({}, True)


async def test_made_up_data_that_changes_the_way_is_told() -> None:
    """A placeholder is no id, and what is made of it is one."""
    tests, goes_alike = await record({**ORDER, "userId": "unknown"})
    assert (len(tests), goes_alike) == (1, False)
