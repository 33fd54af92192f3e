"""Fields in, one Pinterest event and its warnings out."""

from collections.abc import Callable
from typing import Any

import pytest

from app.config.settings import ConversionSettings
from app.destination import ReportConversionEvent, report_conversion_event
from app.errors import EventInvalid
from app.mapping import compile_mapping
from tests.destination.builders import NOW, a_checkout, a_conversion
from tests.rows import every_row


def build(fields: dict[str, Any], **rules: Any) -> tuple[dict[str, Any], list[str]]:
    return ReportConversionEvent(ConversionSettings.model_construct(**rules))(fields, now=NOW)


def test_nothing_is_added_that_was_not_given() -> None:
    event, warnings = report_conversion_event(a_conversion(), now=NOW)

    assert set(event) == {"event_name", "action_source", "event_time", "event_id", "user_data"}
    assert warnings == []


def test_missing_null_and_empty_mean_not_given() -> None:
    nothing: dict[str, Any] = {
        "opt_out": "",
        "language": None,
        "wifi": None,
        "custom_data": {"value": "", "order_id": None},
    }

    event, warnings = report_conversion_event(a_conversion(**nothing, app_info={}), now=NOW)

    assert event.keys().isdisjoint(nothing | {"app_info": 1})
    assert warnings == []


def test_all_that_is_missing_is_named_at_once() -> None:
    fields = {"event_name": "purchase", "action_source": "WEB", "event_id": " ", "user_data": {"phone": "+14155551234"}}

    with pytest.raises(EventInvalid) as invalid:
        report_conversion_event(fields, now=NOW)

    for part in (
        'the nearest is "checkout"',
        "action_source: ",
        "event_time: missing",
        "event_id: ",
        "at least one of em",
    ):
        assert part in invalid.value.reason


@every_row("given", [{"id": 1}, ["a", "b"], True, " ", []])
def test_what_is_no_id_makes_the_event_invalid(given: Any) -> None:
    with pytest.raises(EventInvalid, match=r"event_id: .* is no id"):
        report_conversion_event(a_conversion(event_id=given), now=NOW)


@pytest.mark.parametrize("given", ["WEB", "ios", 5, ["web", "offline"]])
def test_the_action_source_is_one_of_four(given: Any) -> None:
    with pytest.raises(EventInvalid, match=r"action_source: .* is not one of app_android, app_ios, web, offline"):
        report_conversion_event(a_conversion(action_source=given), now=NOW)


@every_row(
    ("fields", "sent"),
    [
        ({"event_id": 42}, {"event_id": "42"}),
        ({"event_id": ["evt-2"]}, {"event_id": "evt-2"}),
        ({"opt_out": "false"}, {"opt_out": False}),
        ({"opt_out": 1}, {"opt_out": True}),
        ({"wifi": 0}, {"wifi": False}),
        ({"language": "en"}, {"language": "en"}),
        ({"language": ["de"]}, {"language": "de"}),
        (
            {"language": "en-US", "device_info": {"locale": "en-US"}},
            {"language": "en", "device_info": {"locale": "en-US"}},
        ),
        ({"app_version": 5.3}, {"app_version": "5.3"}),
        ({"app_id": ["x"]}, {"app_id": "x"}),
        ({"partner_name": "ss-other"}, {"partner_name": "ss-other"}),
        ({"device_info": {"languages": ["en", "de"]}}, {"device_info": {"languages": ["en", "de"]}}),
        ({"custom_data": {"content_ids": [[1, "b"], None]}}, {"custom_data": {"content_ids": ["1", "b"]}}),
        ({"custom_data": {"contents": [{"id": 5}, None]}}, {"custom_data": {"contents": [{"id": "5"}]}}),
        ({"custom_data": {"opt_out_type": ""}}, {}),
        ({"custom_data": {"search_string": " Tisch 🪑 "}}, {"custom_data": {"search_string": " Tisch 🪑 "}}),
        ({"event_source_url": "https://shop.example/tür"}, {"event_source_url": "https://shop.example/tür"}),
    ],
)
def test_what_can_be_read_is_sent_without_a_warning(fields: dict[str, Any], sent: dict[str, Any]) -> None:
    event, warnings = report_conversion_event(a_conversion(**fields), now=NOW)

    assert event == report_conversion_event(a_conversion(), now=NOW)[0] | sent
    assert warnings == []


@every_row(
    ("fields", "sent", "about"),
    [
        ({"opt_out": "No"}, {"opt_out": False}, "opt_out: a text of 2 characters read as false"),
        ({"wifi": ["yes"]}, {"wifi": True}, "wifi: a list of 1 read as true"),
        ({"wifi": "0"}, {"wifi": False}, "wifi: a text of 1 character read as false"),
        ({"opt_out": "False"}, {"opt_out": False}, "opt_out: a text of 5 characters read as false"),
        ({"language": "en-US"}, {"language": "en"}, 'language: a text of 5 characters sent as "en"'),
        ({"language": ["pt_BR"]}, {"language": "pt"}, 'language: a list of 1 sent as "pt"'),
        (
            {"language": "en-US", "device_info": {"locale": "de-DE"}},
            {"language": "en", "device_info": {"locale": "de-DE"}},
            'language: a text of 5 characters sent as "en"',
        ),
        ({"opt_out": "maybe"}, {"opt_out": True}, "opt_out: a text of 5 characters cannot be read, true is sent"),
        ({"opt_out": []}, {"opt_out": True}, "opt_out: a list of 0 cannot be read, true is sent"),
        ({"opt_out": ["maybe"]}, {"opt_out": True}, "opt_out: a text of 5 characters cannot be read, true is sent"),
        ({"opt_out": "undefined"}, {"opt_out": True}, "opt_out: a text of 9 characters cannot be read, true is sent"),
        ({"wifi": "on"}, {}, "wifi: a text of 2 characters left out, true or false is expected"),
        ({"language": "english"}, {}, "language: a text of 7 characters left out"),
        ({"event_source_url": 5}, {}, "event_source_url: a number left out, an address is expected"),
        ({"app_name": " "}, {}, "app_name: a text of 1 character left out, it is blank"),
        ({"device_brand": {"a": 1}}, {}, "device_brand: an object of 1 member left out, a text is expected"),
        ({"app_info": "Shop"}, {}, "app_info: a text of 4 characters left out, an object is expected"),
        ({"colour": "red", "a b": 1}, {}, "colour, (a name not shown) left out, Pinterest does not know it"),
        ({f"x{n}": 1 for n in range(7)}, {}, "x0, x1, x2, x3, x4 and 2 more left out"),
        (
            {"device_info": {"form_factor": "watch"}},
            {},
            "device_info.form_factor: a text of 5 characters left out, it must be one of desktop",
        ),
        ({"device_info": {"form_factor": 5}}, {}, "device_info.form_factor: a number left out"),
        ({"device_info": {"form_factor": True}}, {}, "device_info.form_factor: a true/false left out"),
        (
            {"device_info": {"network_type": "5G"}},
            {"device_info": {"network_type": "cellular_5g"}},
            'device_info.network_type: a text of 2 characters sent as "cellular_5g"',
        ),
        (
            {"device_info": {"languages": ["EN", "fr-CA", "日本", ""]}},
            {"device_info": {"languages": ["en", "fr"]}},
            "device_info.languages: a text of 2 characters left out",
        ),
        (
            {"device_info": {"languages": ["en"] * 101}},
            {"device_info": {"languages": ["en"] * 100}},
            "device_info.languages: 101 languages cut to 100",
        ),
        (
            {"device_info": {"os_name": "x" * 101}},
            {"device_info": {"os_name": "x" * 100}},
            "device_info.os_name: a text of 101 characters cut to 100 characters",
        ),
        (
            {"custom_data": {"contents": {"id": "x", "price": 1}}},
            {"custom_data": {"contents": [{"id": "x"}]}},
            "custom_data.contents[0]: price left out",
        ),
        (
            {"custom_data": {"contents": ["stool", {"id": "x"}]}},
            {"custom_data": {"contents": [{"id": "x"}]}},
            "custom_data.contents[0]: a text of 5 characters left out, an object is expected",
        ),
        (
            {"custom_data": {"contents": [{"id": "x", "item_brand_id": "b" * 65}]}},
            {"custom_data": {"contents": [{"id": "x", "item_brand_id": "b" * 64}]}},
            "custom_data.contents[0].item_brand_id: a text of 65 characters cut to 64",
        ),
        (
            {"custom_data": {"content_ids": ["a", {"id": 1}]}},
            {"custom_data": {"content_ids": ["a"]}},
            "custom_data.content_ids: an object of 1 member left out, a text is expected",
        ),
    ],
)
def test_what_is_repaired_or_left_out_is_said(fields: dict[str, Any], sent: dict[str, Any], about: str) -> None:
    event, warnings = report_conversion_event(a_conversion(**fields), now=NOW)

    assert event == report_conversion_event(a_conversion(), now=NOW)[0] | sent
    assert [warning for warning in warnings if about in warning], warnings


@pytest.mark.parametrize("source", ["app_ios", "app_android"])
def test_app_events_without_app_name_get_a_warning(source: str) -> None:
    about = "app_name: missing, Pinterest asks for it with app events"

    assert build(a_conversion(action_source=source))[1] == [about]
    assert build(a_conversion(action_source=source, app_name="Shop"))[1] == []
    assert build(a_conversion(action_source=source, app_info={"app_name": "Shop"}))[1] == []


@every_row(
    ("custom_data", "currency"),
    [
        ({"value": 5}, "EUR"),
        ({"contents": [{"item_price": 5}]}, "EUR"),
        ({"value": 5, "currency": "usd"}, "USD"),
        ({"value": 5, "currency": "nonsense"}, None),
        ({"value": 5, "currency": [None, ""]}, "EUR"),
        ({"search_string": "lamp"}, None),
    ],
    ids=[
        "an amount",
        "a price",
        "the event names one",
        "the event names an unknown one",
        "products name none",
        "no amount",
    ],
)
def test_the_default_currency_is_for_amounts_of_events_that_name_none(custom_data: Any, currency: str | None) -> None:
    event, _ = build(a_conversion(custom_data=custom_data), default_currency="eur")

    assert event["custom_data"].get("currency") == currency


def test_the_partner_name_of_the_settings_is_for_mappings_without_one() -> None:
    assert build(a_conversion(), partner_name="ss-x")[0]["partner_name"] == "ss-x"
    assert build(a_conversion(partner_name="ss-y"), partner_name="ss-x")[0]["partner_name"] == "ss-y"


def test_personal_data_is_taken_out_of_address_and_search() -> None:
    fields = a_conversion(
        user_data={"email": "jane@example.com", "phone": ["+1 415 555 1234", "12"]},
        event_source_url="https://shop.example/?q=jane@example.com&n=4155551234",
        custom_data={"search_string": "jane@example.com"},
    )

    event, warnings = build(fields)

    assert event["event_source_url"] == "https://shop.example/?q=&n="
    assert "custom_data" not in event
    assert "event_source_url: personal data taken out" in warnings
    assert "custom_data.search_string: personal data taken out" in warnings


def test_parameters_of_the_settings_are_emptied() -> None:
    fields = a_conversion(event_source_url="https://shop.example/?kunde=7&email=x")

    assert build(fields, redacted_parameters=["kunde"])[0]["event_source_url"] == "https://shop.example/?kunde=&email=x"


def test_many_warnings_are_counted_rather_than_listed() -> None:
    _, warnings = build(a_conversion(custom_data={"content_ids": [True] * 60}))

    assert len(warnings) == 51
    assert warnings[-1] == "and 10 warnings more"


def test_a_text_that_is_no_unicode_is_sent_with_question_marks(
    judged_by_pinterest: Callable[[dict[str, Any]], list[str]],
) -> None:
    event, _ = build(
        a_conversion(event_id="\ud800", user_data={"email": "a@b.co", "city": "\udfff Bonn"}, app_name="\ud800")
    )

    assert (event["event_id"], event["app_name"]) == ("?", "?")
    assert judged_by_pinterest(event) == []


WHICH_CURRENCY = [
    # custom_data as mapped, what is sent of it, what a warning says
    (
        {"value": "25.00 USD", "currency": "EUR"},
        {"value": "25", "currency": "USD"},
        "currency: EUR left out, the value",
    ),
    ({"value": "€25"}, {"value": "25", "currency": "EUR"}, '"€25" read as 25 EUR'),
    ({"value": "$25", "currency": "CAD"}, {"value": "25", "currency": "CAD"}, '"$25" read as 25'),
    ({"value": "150.000", "currency": "IDR"}, {"value": "150000", "currency": "IDR"}, '"150.000" read as 150000'),
    ({"value": "1,234", "currency": "KWD"}, {"currency": "KWD"}, "value: "),
    (
        {"value": {"amount": "25.00", "currencyCode": "USD"}, "currency": "EUR"},
        {"value": "25", "currency": "USD"},
        "currency: EUR left out",
    ),
    (
        {"value": 20, "currency": "USD", "contents": [{"id": "a", "item_price": "€10"}, {"id": "b", "item_price": 10}]},
        {"value": "20", "currency": "USD", "contents": [{"id": "a"}, {"id": "b", "item_price": "10"}]},
        "it is in EUR, USD is sent",
    ),
    (
        {"contents": {"id": "a", "item_price": {"amount": 10, "currency": "GBP"}}},
        {"currency": "GBP", "contents": [{"id": "a", "item_price": "10"}]},
        "a single product",
    ),
    (
        {"contents": [{"id": "a", "item_price": "1.500"}], "currency": "CLP"},
        {"currency": "CLP", "contents": [{"id": "a", "item_price": "1500"}]},
        "read as 1500",
    ),
    (
        {"predicted_ltv": "5 USD", "value": "5 EUR"},
        {"value": "5", "currency": "EUR"},
        "predicted_ltv: ",
    ),
]


@every_row(("given", "sent", "about"), WHICH_CURRENCY)
def test_one_currency_is_sent_which_the_value_itself_names_before_all(
    given: dict[str, Any], sent: dict[str, Any], about: str
) -> None:
    event, warnings = report_conversion_event(a_conversion(custom_data=given), now=NOW)

    assert event["custom_data"] == sent
    assert about in "\n".join(warnings)


def test_shop_money_is_sent_unless_presentment_money_is_asked_for() -> None:
    money = {
        "shop_money": {"amount": "25.00", "currency_code": "USD"},
        "presentment_money": {"amount": "23.10", "currency_code": "EUR"},
    }
    fields = a_checkout(value=money, currency=None)

    assert build(fields)[0]["custom_data"] == {"value": "25", "currency": "USD", "order_id": "SO-1"}
    assert build(fields, shop_money="presentment")[0]["custom_data"] == {
        "value": "23.1",
        "currency": "EUR",
        "order_id": "SO-1",
    }


def test_texts_are_read_in_the_default_currency_where_the_event_names_none() -> None:
    event, _ = build(a_checkout(value="150.000", currency=None), default_currency="IDR")

    assert event["custom_data"] == {"value": "150000", "currency": "IDR", "order_id": "SO-1"}


@every_row("value", [-5.5, "-5.50", "-€5", "-1,234", {"amount": "-5.00", "currency": "USD"}, ["-5"]])
def test_a_checkout_of_a_negative_value_is_a_refund_and_no_purchase(value: Any) -> None:
    with pytest.raises(EventInvalid) as invalid:
        report_conversion_event(a_checkout(value=value), now=NOW)

    assert invalid.value.reason == "a refund, not a purchase"


@every_row("value", [0, "0.00", -0.0, compile_mapping({"v": {"@subtract": [5, 6]}}).resolve({})["v"], "a refund of -5"])
def test_zero_is_an_order_and_a_computed_negative_no_refund(value: Any) -> None:
    event, _ = report_conversion_event(a_checkout(value=value), now=NOW)

    assert event["custom_data"].get("value") in (None, "0")


def test_only_a_checkout_can_be_a_refund() -> None:
    event, warnings = report_conversion_event(a_conversion(custom_data={"value": -5}), now=NOW)

    assert "custom_data" not in event
    assert warnings == ["custom_data.value: a number left out, an amount cannot be negative"]


@pytest.mark.parametrize("missing", ["value", "currency", "order_id"])
def test_a_checkout_that_lacks_what_pinterest_asks_for_is_sent_with_a_warning(missing: str) -> None:
    event, warnings = report_conversion_event(a_checkout(**{missing: None}), now=NOW)

    assert missing not in event["custom_data"]
    assert [warning.partition(":")[0] for warning in warnings] == [f"checkout without {missing}"]


def test_a_checkout_that_says_nothing_lacks_all_three() -> None:
    _, warnings = report_conversion_event(a_conversion(event_name="checkout"), now=NOW)

    assert [warning.partition(":")[0] for warning in warnings] == [
        "checkout without value",
        "checkout without currency",
        "checkout without order_id",
    ]
