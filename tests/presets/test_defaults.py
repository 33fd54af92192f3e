"""What the default mapping finds in an event: its order of choices, as tables."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from app.catalog import Catalog
from app.catalog.files import FieldSpec
from app.destination import report_conversion_event
from app.errors import EventInvalid
from tests.presets.conftest import Make
from tests.rows import every_row

STOOL = {"product_id": "OA-1", "name": "Stool", "brand": "Oak", "category": "Seats", "price": 189.5, "quantity": 2}
CUSHION = {"id": 7, "price": "40.10"}
TWO = [STOOL, CUSHION]  # 2 x 189.5 + 1 x 40.1 = 419.1
SENT_STOOL = {
    "id": "OA-1",
    "item_name": "Stool",
    "item_category": "Seats",
    "item_brand": "Oak",
    "item_price": "189.5",
    "quantity": 2,
}


def only(name: str, value: Any) -> dict[str, Any]:
    """Nest the value: `only("a.b", 1)` is {"a": {"b": 1}}."""
    for key in reversed(name.split(".")):
        value = {key: value}
    nested: dict[str, Any] = value
    return nested


@every_row(
    ("preset", "properties", "value"),
    [
        ("Order Completed", {"revenue": 399, "subtotal": 1, "total": 2, "products": TWO, "value": 3}, "399"),
        ("Order Completed", {"revenue": 0, "total": 2}, "2"),
        ("Order Completed", {"revenue": 0, "total": "n/a"}, "0"),
        ("Order Completed", {"revenue": "", "subtotal": 419.6, "total": 2, "value": 3}, "3"),
        ("Order Completed", {"total": 448.1, "tax": 36.6, "shipping": 12.5, "products": TWO}, "399"),
        ("Order Completed", {"total": 0.3, "tax": 0.1, "shipping": 0.1}, "0.1"),
        ("Order Completed", {"total": 448.1, "tax": 36.6, "products": TWO}, "411.5"),
        ("Order Completed", {"products": TWO, "total": 500}, "419.1"),
        ("Order Completed", {"products": [STOOL, {"id": "no price"}], "total": 500}, "500"),
        ("Order Completed", {"products": [], "total": 500}, "500"),
        ("Order Completed", {"total": 500, "value": 3}, "3"),
        ("Order Completed", {"value": 3}, "3"),
        ("Order Completed", {"revenue": "1,299.00"}, "1299"),
        ("Order Completed", {"products": [{"price": "€5"}, {"price": "1.234,56 €", "quantity": 2}]}, "2474.12"),
        ("Order Completed", {"total": "$1,299.00", "tax": "$99.00", "shipping": "0"}, "1200"),
        ("Order Completed", {}, None),
        ("Checkout", {"revenue": 399, "value": 3}, "399"),
        ("Checkout Started", {"value": 3, "revenue": 399}, "399"),
        ("Checkout Started", {"revenue": 399, "products": TWO}, "399"),
        ("Checkout Started", {"products": TWO, "total": 500}, "419.1"),
        ("Checkout Started", {"total": 500}, "500"),
        ("Product Added", STOOL | {"value": 350}, "350"),
        ("Product Added", STOOL, "379"),
        ("Product Added", {"price": 0.1, "quantity": 3}, "0.3"),
        ("Product Added", {"price": "19.99"}, "19.99"),
        ("Order Completed", {"products": [{"price": "Rs.500", "quantity": 2}]}, "1000"),
        ("Product Added", {"price": "€5", "quantity": 3}, "15"),
        ("Product Added", {"quantity": 3}, None),
        ("Product Added", {"products": TWO}, "419.1"),
        ("Product Viewed", {"products": TWO}, "419.1"),
        ("Product Viewed", {"line_items": TWO}, "419.1"),
        ("Product Added to Wishlist", {"contents": TWO}, "419.1"),
        ("Order Completed", {"total_price": "30.00", "subtotal_price": "20.00", "total_tax": "4"}, "20"),
        ("Order Completed", {"total_price": "30.00", "total_tax": "4", "shipping_total": 5}, "21"),
        ("Order Completed", {"total": "30.00", "total_tax": "4"}, "26"),
        ("Order Completed", {"current_total_price": "30.00"}, "30"),
        ("Order Completed", {"value": 5, "items": TWO}, "5"),
        ("Order Completed", {"items": TWO}, "419.1"),
        ("Order Completed", {"line_items": TWO}, "419.1"),
        ("Checkout Started", {"total_price": "30.00", "subtotal_price": "20.00"}, "20"),
        ("Product List Viewed", {"products": TWO}, None),
        ("View Category", {"products": TWO, "value": 3}, "3"),
    ],
    ids=str,
)
def test_the_value_is_found_in_every_spelling(
    preset: str, properties: dict[str, Any], value: str | None, sent_of: Make
) -> None:
    preset = {"Product Added": "Add to Cart"}.get(preset, preset)

    assert sent_of(preset, properties=properties).get("custom_data", {}).get("value") == value


@every_row(
    ("properties", "custom_data"),
    [
        ({"currency": "eur", "products": [{"id": "1", "currency": "USD"}]}, {"currency": "EUR"}),
        ({"products": [{"id": "1", "currency": "USD"}]}, {"currency": "USD"}),
        ({"products": [{"id": "1"}, {"id": "2", "currency": "USD"}]}, {"currency": "USD"}),
        ({"products": [{"currency": ""}, {"currency": "SEK"}, {"currency": "USD"}]}, {"currency": "SEK"}),
        ({"revenue": 5}, {"currency": None}),
        ({"products": TWO}, {"content_ids": ["OA-1", "7"], "num_items": 3}),
        ({"products": TWO}, {"contents": [SENT_STOOL, {"id": "7", "item_price": "40.1"}]}),
        ({"products": [{"productId": "a"}, {"sku": "b"}]}, {"content_ids": ["a", "b"], "num_items": 2}),
        ({"products": [{"product_id": "a", "productId": "b", "id": "c", "sku": "d"}]}, {"content_ids": ["a"]}),
        ({"content_ids": ["x"], "products": TWO}, {"content_ids": ["x"]}),
        ({"num_items": 9, "products": TWO}, {"num_items": 9}),
        ({"products": False} | STOOL, {"content_ids": ["OA-1"], "contents": [SENT_STOOL], "num_items": 2}),
        (STOOL, {"content_ids": ["OA-1"], "contents": [SENT_STOOL], "num_items": 2}),
        ({"sku": "S-1", "price": 5}, {"content_ids": ["S-1"], "contents": [{"id": "S-1", "item_price": "5"}]}),
        ({"name": "no product"}, {"content_ids": None, "contents": None, "num_items": None}),
        ({"order_id": 10021}, {"order_id": "10021"}),
        ({"orderId": "SO-1"}, {"order_id": "SO-1"}),
        ({"query": "walnut stool"}, {"search_string": "walnut stool"}),
        ({"search_string": "oak"}, {"search_string": "oak"}),
        ({"search_term": "ash"}, {"search_string": "ash"}),
        ({"order_id": "1", "orderId": "2", "transaction_id": "3"}, {"order_id": "1"}),
        ({"transaction_id": "3", "order_number": 4}, {"order_id": "3"}),
        ({"order_number": 4, "number": 5, "total": 1}, {"order_id": "4"}),
        ({"number": "5", "name": "#6", "total": 1}, {"order_id": "5"}),
        ({"number": "5", "line_items": [{"sku": "a"}]}, {"order_id": "5"}),
        ({"number": "+1 415 555 1234"}, {"order_id": None}),
        ({"name": "#1001"}, {"order_id": "1001"}),
        *[({"name": name}, {"order_id": "1001"}) for name in (" #1001 ", "\t#1001", "# 1001", "#1001\n")],
        ({"name": "Jane Doe", "total": 5}, {"order_id": None}),
        ({"numOfItems": 3}, {"num_items": 3}),
        (
            {"contentName": "Stool", "contentBrand": "Oak", "contentCategory": "Seats"},
            {"content_name": "Stool", "content_brand": "Oak", "content_category": "Seats"},
        ),
        ({"opt_out_type": "LDP"}, {"opt_out_type": "LDP"}),
        (STOOL, {"content_name": "Stool", "content_category": "Seats", "content_brand": "Oak"}),
        ({"content_name": "A", "name": "B"}, {"content_name": "A"}),
        ({"name": "Jane Doe", "email": "a@b.co"}, {"content_name": None}),
        ({"predicted_ltv": 120}, {"predicted_ltv": "120"}),
    ],
    ids=str,
)
def test_what_was_bought_is_found_in_every_spelling(
    properties: dict[str, Any], custom_data: dict[str, Any], sent_of: Make
) -> None:
    sent = sent_of(properties=properties).get("custom_data", {})

    assert {name: sent.get(name) for name in custom_data} == custom_data


#: field -> wire name, what is hashed, what is given, and where it is found.
SPELLINGS: dict[str, tuple[str, str, Any, str]] = {
    "email": ("em", "a@b.co", "A@b.co", "P.email C.email T.email P.customer.email P.customer_email"),
    "phone": ("ph", "14155551234", "+1 415 555 1234", "P.phone C.phone T.phone P.phone_number"),
    "gender": ("ge", "f", "Female", "P.gender C.gender T.gender"),
    "date_of_birth": (
        "db",
        "19960314",
        "1996-03-14",
        "P.date_of_birth P.dateOfBirth P.birthday C.date_of_birth C.dateOfBirth C.birthday T.birthday",
    ),
    "last_name": (
        "ln",
        "lovelace",
        "Lovelace",
        "P.last_name P.lastName C.last_name C.lastName T.last_name T.lastName P.billing_address.last_name T.lastname",
    ),
    "first_name": (
        "fn",
        "ada",
        "Ada",
        "P.first_name P.firstName C.first_name C.firstName T.first_name T.firstName P.billing_address.first_name",
    ),
    "city": (
        "ct",
        "stpaul",
        "St. Paul",
        "P.address.city P.billing.city P.billingAddress.city C.address.city T.address.city P.city C.city",
    ),
    "state": (
        "st",
        "ca",
        "California",
        "P.address.state P.billing_address.province C.address.region_code P.customer.default_address.state P.state",
    ),
    "zip": (
        "zp",
        "94107",
        "94107",
        "P.address.postalCode P.address.zip P.billingAddress.postal_code P.billing.postcode C.address.postcode P.zip",
    ),
    "country": (
        "country",
        "us",
        "USA",
        "P.address.country P.billing_address.country_code C.address.countryCode T.address.country P.country C.country",
    ),
}
PLACES = {"P": "properties", "C": "context.traits", "T": "traits"}
SPELLING_ROWS = [
    (wire, hashed, given, PLACES[place[0]] + place[1:])
    for wire, hashed, given, places in SPELLINGS.values()
    for place in places.split()
]


@every_row(("wire", "hashed", "given", "place"), SPELLING_ROWS, ids=[row[3] for row in SPELLING_ROWS])
def test_who_it_was_is_found_in_the_spellings_in_use(
    wire: str, hashed: str, given: Any, place: str, sent_of: Make
) -> None:
    assert sent_of(**only(place, given))["user_data"][wire] == [sha256(hashed.encode()).hexdigest()]


@every_row(("field", "row"), SPELLINGS.items(), ids=SPELLINGS)
def test_properties_user_data_is_read_first_for_every_key(
    field: str, row: tuple[str, str, Any, str], sent_of: Make
) -> None:
    wire, hashed, given, places = row
    elsewhere = "P.phone" if field == "phone" else places.split()[0]
    other = only(elsewhere.removeprefix("P."), "another value")
    expected = [sha256(hashed.encode()).hexdigest()]

    for user_data in ({field: given}, [{field: given}], [{"other": 1}, {field: [given, given]}]):
        assert sent_of(properties=other | {"user_data": user_data})["user_data"][wire] == expected


def test_several_people_of_one_event_are_all_sent(sent_of: Make) -> None:
    people = [{"email": "a@b.co", "country": "US"}, {"email": ["c@d.co", "a@b.co"]}]

    sent = sent_of(properties={"user_data": people})["user_data"]

    assert sent["em"] == [sha256(email.encode()).hexdigest() for email in ("a@b.co", "c@d.co")]
    assert len(sent["country"]) == 1


def test_an_empty_value_gives_way_to_the_next(sent_of: Make) -> None:
    sent = sent_of(properties={"email": ""}, context={"traits": {"email": None}}, traits={"email": "a@b.co"})

    assert sent["user_data"]["em"] == [sha256(b"a@b.co").hexdigest()]


@pytest.mark.parametrize(
    "event", [only("properties.partnerId", "p-1"), only("context.traits.partnerId", "p-1")], ids=str
)
def test_the_partners_id_as_rudderstack_spells_it(event: dict[str, Any], sent_of: Make) -> None:
    assert sent_of(**event)["user_data"]["partner_id"] == "p-1"


def test_an_sdk_that_names_itself_is_no_app(fields_of: Make) -> None:
    app = {"name": "RudderLabs JavaScript SDK", "namespace": "com.rudderlabs.javascript", "version": "3.34.0"}
    context = {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0", "app": app}

    sent, warnings = report_conversion_event(fields_of(context=context), now=None)

    assert not {"app_info", "app_name", "app_version", "app_id"} & sent.keys()
    assert "app_name: left out, it is an SDK's own and no app's" in warnings


def test_address_user_agent_and_partner_id_are_sent_plain_and_the_user_id_hashed(sent_of: Make) -> None:
    sent = sent_of(userId="Cust 1042", properties={"partner_id": "p-1"})["user_data"]

    assert sent["client_ip_address"] == "203.0.113.7"
    assert sent["client_user_agent"] == "Mozilla/5.0"
    assert sent["partner_id"] == "p-1"
    assert sent["external_id"] == [sha256(b"cust1042").hexdigest()]


MAID = "7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB"
MISSING = "(missing)"


@every_row("action_source", ["web", "app"])
@every_row(
    ("given", "opt_out", "allowed", "has_maid"),
    [
        (True, False, True, True),
        ("true", False, True, True),
        ("True", False, True, True),
        ("yes", False, True, True),
        (1, False, True, True),
        ("1", False, True, True),
        ([True], False, True, True),
        (False, True, False, False),
        ("false", True, False, False),
        (0, True, False, False),
        ("no", True, False, False),
        (2, True, False, False),
        ({"x": 1}, True, False, False),
        ([], True, False, False),
        (" ", None, None, False),
        ("undefined", True, False, False),
        ("authorized", True, False, False),
        ("", None, None, False),
        (None, None, None, False),
        (MISSING, None, None, False),
    ],
    ids=str,
)
def test_tracking_is_opted_out_of_wherever_permission_is_not_plain(
    given: Any, opt_out: Any, allowed: Any, has_maid: Any, action_source: str, sent_of: Make
) -> None:
    device = {"advertisingId": MAID} | ({} if given is MISSING else {"adTrackingEnabled": given})
    preset = "Order Completed" if action_source == "web" else "Application Opened (iOS)"

    sent = sent_of(preset, context={"device": device})

    assert sent.get("opt_out") is opt_out
    assert ("hashed_maids" in sent["user_data"]) is has_maid


@every_row(
    ("event", "click_id"),
    [
        ({"context": {"page": {"url": "https://a.example/?epik=dj0a"}}, "properties": {"epik": "no"}}, "dj0a"),
        ({"context": {"page": {"url": "https://a.example/?x=1&epik=dj0%2Da#part"}}}, "dj0-a"),
        ({"context": {"page": {"url": "https://a.example/#epik=no", "search": "?epik=dj0b"}}}, "dj0b"),
        ({"context": {"page": {"url": "https://a.example/?epik="}}, "properties": {"epik": "dj0c"}}, "dj0c"),
        ({"properties": {"click_id": "dj0d"}}, "dj0d"),
        ({"properties": {"epik": "dj0e", "click_id": "no"}}, "dj0e"),
        ({"properties": {"_epik": "dj0f"}}, "dj0f"),
        ({"properties": {"clickId": "dj0g"}}, "dj0g"),
        ({"context": {"campaign": {"epik": "dj0h"}}}, "dj0h"),
        ({"context": {"campaign": {"click_id": "dj0i"}}}, "dj0i"),
        ({"context": {"campaign": {"click_id": "Cj0KCQ"}, "cookies": {"_epik": "dj0j"}}}, "dj0j"),
        ({"context": {"page": {"referrer": "https://a.example/?epik=dj0k"}}}, "dj0k"),
        ({"properties": {"landing_site": "/?utm=x&epik=dj0l"}}, "dj0l"),
        *[
            ({"context": {"page": {"url": f"https://a.example/?epik={no_id}"}, "cookies": {"_epik": "dj0m"}}}, "dj0m")
            for no_id in ("{{epik}}", "%7B%7Bepik%7D%7D", "[object Object]", "-", "0", "undefined", "%20")
        ],
        ({"context": {"page": {"url": 5}}}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_click_id_is_found_in_every_place(event: dict[str, Any], click_id: str | None, sent_of: Make) -> None:
    assert sent_of(**event)["user_data"].get("click_id") == click_id


@every_row(
    ("event", "field", "value"),
    [
        ({"properties": {"event_id": "a", "eventID": "b"}}, "event_id", "a"),
        ({"properties": {"eventID": "b"}}, "event_id", "b"),
        ({}, "event_id", "m-1"),
        ({"timestamp": "2026-01-02T03:04:05Z", "receivedAt": "2026-01-03T00:00:00Z"}, "event_time", 1767323045),
        ({"timestamp": None, "receivedAt": "2026-01-02T04:04:05+01:00"}, "event_time", 1767323045),
        ({"context": {"page": {"url": "https://a.example/"}}}, "event_source_url", "https://a.example/"),
        ({"properties": {"url": "https://b.example/"}}, "event_source_url", "https://b.example/"),
        ({"context": {"locale": "en-US"}}, "language", "en"),
        ({"context": {"network": {"wifi": False}}}, "wifi", False),
        ({}, "opt_out", None),
        ({"context": {"device": False}}, "opt_out", None),
        ({"context": {"network": False}}, "wifi", None),
        ({}, "partner_name", None),
        ({"properties": {"partner_name": "A", "partnerName": "B"}}, "partner_name", "A"),
        ({"properties": {"partnerName": "B"}}, "partner_name", "B"),
        ({"context": {"device": {"manufacturer": "Apple"}}}, "device_brand", "Apple"),
        ({"context": {"network": {"carrier": "C"}}}, "device_carrier", "C"),
        ({"context": {"app": {"namespace": "a.b"}}}, "app_info", {"app_package_name": "a.b"}),
        (
            {"context": {"os": {"name": "iOS", "version": "19"}, "screen": {"width": 390, "height": 844}}},
            "device_info",
            {"os_family": "ios", "os_name": "iOS", "os_version": "19", "screen_height": 844, "screen_width": 390},
        ),
        ({"context": {"network": {"wifi": True}}}, "device_info", {"network_type": "wifi"}),
    ],
    ids=str,
)
def test_every_other_field_is_found_where_senders_put_it(
    event: dict[str, Any], field: str, value: Any, sent_of: Make
) -> None:
    assert sent_of(**event).get(field) == value


def test_every_field_that_a_preset_may_map_is_known_where_events_are_built(catalog: Catalog) -> None:
    def given(fields: Mapping[str, FieldSpec]) -> dict[str, Any]:
        return {name: given(spec.properties) if spec.properties else "1" for name, spec in fields.items()}

    known = {"event_name": "custom", "action_source": "web", "event_time": 1767323045}

    fields = given(catalog.action.fields) | known
    _, warnings = report_conversion_event(fields | {"user_data": fields["user_data"] | {"email": "a@b.co"}}, now=None)

    assert [warning for warning in warnings if "does not know it" in warning] == []


@every_row("placeholder", ["undefined", "null", "None", "N/A", "(not set)", " "])
def test_a_placeholder_does_not_hide_a_value_that_follows(sent_of: Make, placeholder: str) -> None:
    context = {"traits": {"email": "jane.doe@example.com"}}
    sent = sent_of("Page Visit", properties={"email": placeholder}, context=context)
    assert sent["user_data"]["em"] == ["86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"]


#: properties, where in the finished event, what stands there, the warning.
JUNK = [
    (
        {"email": "guest", "customer_email": "a@b.co"},
        "user_data.em",
        [sha256(b"a@b.co").hexdigest()],
        "user_data.email (properties.email): a text of 5 characters left out, it is no address",
    ),
    (
        {"revenue": "1,23,4", "total": 5},
        "custom_data.value",
        "5",
        "custom_data.value (properties.revenue): a text of 6 characters left out",
    ),
    (
        {"total": 50, "tax": "abc", "shipping": 5},
        "custom_data.value",
        "45",
        "custom_data.value (properties.tax): a text of 3 characters left out, it is no number",
    ),
    (
        {"products": [{"product_id": {}, "sku": "S-1"}]},
        "custom_data.content_ids",
        ["S-1"],
        "custom_data.content_ids (properties.products[*].product_id): an object of 0 members left out",
    ),
    (
        {"country": "Atlantis", "country_code": "US"},
        "user_data.country",
        [sha256(b"us").hexdigest()],
        "user_data.country (properties.country): a text of 8 characters left out",
    ),
]


@every_row(("properties", "field", "value", "warning"), JUNK, ids=str)
def test_junk_in_an_earlier_place_gives_way_to_the_next_with_a_warning(
    properties: dict[str, Any], field: str, value: Any, warning: str, fields_of: Make
) -> None:
    context = {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"}

    sent, warnings = report_conversion_event(fields_of(properties=properties, context=context), now=None)

    holder, _, name = field.partition(".")
    assert sent[holder][name] == value
    assert any(found.startswith(warning) for found in warnings), warnings


READABLE = "2026-01-02T03:04:05Z"


@every_row("junk", ["Invalid Date", 0, "0001-01-01T00:00:00Z", " ", [], {}, "undefined", True])
@every_row("place", ["originalTimestamp", "receivedAt", "sentAt", "arrivedAt"])
def test_the_first_readable_time_is_the_events(junk: Any, place: str, fields_of: Make) -> None:
    places = ["timestamp", "originalTimestamp", "receivedAt", "sentAt", "arrivedAt"]
    before, after = places[: places.index(place)], places[places.index(place) + 1 :]
    times = dict.fromkeys(before, junk) | {place: READABLE} | dict.fromkeys(after, "2026-01-02T09:09:09Z")

    context = {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"}
    event, warnings = report_conversion_event(fields_of("Page Visit", context=context, **times), now=None)

    assert event["event_time"] == 1767323045
    assert sorted(warning.partition(":")[0] for warning in warnings) == sorted(
        f"event_time ({passed})" for passed in before
    )


def test_the_first_readable_time_counts_also_where_it_is_too_old(fields_of: Make) -> None:
    times = {"timestamp": "2025-12-01T00:00:00Z", "receivedAt": READABLE}
    fields = fields_of(context={"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"}, **times)

    with pytest.raises(EventInvalid, match="days old"):
        report_conversion_event(fields, now=1767323045)


NO_IDS = ["", " ", 0, "0", "-", "None", "NULL", "undefined", "pending ", "Unknown", "n/a", "NaN", "(not set)"]
NO_IDS += ["{{ order.id }}", "[object Object]", [], {}, True, None]


@every_row("no_id", NO_IDS, ids=str)
def test_a_placeholder_is_no_id(no_id: Any, sent_of: Make) -> None:
    properties = {"event_id": no_id, "order_id": no_id, "transaction_id": " T-1 ", "total": 5}

    sent = sent_of(properties=properties)

    assert sent["event_id"] == "m-1"
    assert sent["custom_data"]["order_id"] == "T-1"
    assert "order_id" not in sent_of(properties={"order_id": no_id, "total": 5})["custom_data"]


@every_row("no_id", NO_IDS, ids=str)
def test_a_placeholder_says_nothing_of_a_person_nor_of_the_page(no_id: Any, sent_of: Make) -> None:
    names = dict.fromkeys(("first_name", "last_name", "city", "zip", "epik", "partner_id"), no_id)
    context = {"page": {"url": no_id}, "cookies": {"_epik": "dj0"}, "traits": {"name": no_id}, "ip": "203.0.113.7"}

    sent = sent_of(userId=no_id, properties=names | {"url": "https://b.example/"}, context=context)

    assert sent["user_data"].keys() & {"fn", "ln", "ct", "zp", "external_id", "partner_id"} == set()
    assert sent["user_data"]["click_id"] == "dj0"
    assert sent["event_source_url"] == "https://b.example/"


@pytest.mark.parametrize(
    "url", ["https://a.example/?q={{x}}", "https://a.example/ü?{{x}}", "http://a.example/[x]", "HTTPS://a.example/0"]
)
def test_an_address_may_hold_a_template(url: str, sent_of: Make) -> None:
    assert sent_of(context={"page": {"url": url}}, properties={"url": "no"})["event_source_url"] == url
