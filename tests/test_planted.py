"""No reason and no warning repeats what an event holds: both are stored for weeks and shown to whoever looks.

docs/privacy.md lists what they may show.
"""

import re
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.destination import report_conversion_event
from app.destination.conversion_event import FIELD_READERS
from app.destination.members import ObjectReader, all_members
from app.destination.reading import TextReader
from app.destination.redaction import FreeTextReader, ListReader
from app.errors import EventInvalid, EventRefused
from app.pipeline.pipeline import Pipeline
from app.source.event import Arrival, read_event
from tests import assembled
from tests.destination.builders import a_conversion
from tests.process import ROOT
from tests.rounds import examples
from tests.whole.planted import OTHER_SIGNS, written

NOW = 1_772_640_800.0
MAPPING = (ROOT / "mappings/report_conversion_event.yaml").read_text("utf-8")
OF_PEOPLE = ("email", "first_name", "name", "city", "province_code", "address.state", "address.country")
#: Fields of the action that are shown as they came: docs/privacy.md says so.
SHOWN = {"event_name", "action_source"}
#: Where the default mapping looks, and what decides whether an event is sent.
PATHS = [
    *sorted(set(re.findall(r"\$\.([\w.]+)", MAPPING)) - {f"properties.{name}" for name in SHOWN}),
    *("type", "anonymousId", "sentAt", "context.page", "properties.products", "properties.user_data"),
    *("integrations", "integrations.All", "integrations.Pinterest Conversions API"),
    *(f"{place}.{name}" for place in ("properties.customer", "traits", "properties.shipping") for name in OF_PEOPLE),
    *("context.consent", "context.consent.categoryPreferences", "context.consent.categoryPreferences.ads"),
    *("context.consentManagement", "context.consentManagement.deniedConsentIds"),
]
EVENTS = ("Order Completed", "Product Added", "Checkout Started", "Application Opened", "Products Searched")
#: Every field of the action that is no object, by its path: what holds for all holds for a new one.
READERS = {
    ".".join(path): read.item if isinstance(read, ListReader) else read
    for path, read in all_members(FIELD_READERS)
    if not isinstance(read, ObjectReader)
}
FIELDS = [*sorted(READERS.keys() - SHOWN), "user_data", "custom_data", "custom_data.contents", "gpc", "person_blocks"]

#: Told from any other text by its letters or its many digits.
distinctive = (
    st.from_regex(r"[a-z]{2}zq[a-z]{3,10}", fullmatch=True)
    | st.from_regex(r"[A-Z][a-z]{2}zq [a-z]{3,10}", fullmatch=True)
    | st.from_regex(r"(\+|€|-|)[1-9][0-9]{8,14}", fullmatch=True)
    | st.from_regex(r"[a-z]{3}zq@[a-z]{3,8}\.example", fullmatch=True)
    | st.from_regex(r"zq[0-9]{1,6}[,.][0-9]{2} ?kr", fullmatch=True)
)
shapes = st.sampled_from(
    [
        lambda text: text,
        lambda text: [text],
        lambda text: [text, text],
        lambda text: {"x": text},
        lambda text: {text: 1},
    ]
)


def put(event: dict[str, Any], path: str, value: Any) -> None:
    """Set a member, making or replacing what stands above it."""
    *above, last = path.split(".")
    for key in above:
        if not isinstance(event.get(key), dict):
            event[key] = {}
        event = event[key]
    event[last] = value


@cache
def pipeline() -> Pipeline:
    return assembled.pipeline(consent_categories=("ads",), rudder_consent_ids=("pin",))


@pytest.mark.slow
@settings(max_examples=examples(500), deadline=None)
@given(
    name=st.sampled_from(EVENTS),
    places=st.lists(st.tuples(st.sampled_from(PATHS), shapes), min_size=1, max_size=3),
    text=distinctive,
)
def test_what_an_event_holds_is_in_no_reason_and_no_warning(name: str, places: list[Any], text: str) -> None:
    event: dict[str, Any] = {"type": "track", "event": name, "timestamp": NOW, "messageId": "m-1"}
    event["context"] = {"ip": "203.0.113.9", "userAgent": "x"}
    for path, shape in places:
        put(event, path, shape(text))
    try:
        lines = pipeline().preview(read_event(event, Arrival.at(NOW, from_device=len(places) > 1)), now=NOW)
    except EventRefused as exc:
        said = [exc.reason]
    else:
        said = [words for line in lines for words in (line.reason, *line.warnings)]

    assert [words for words in said if text in words] == []


@pytest.mark.slow
@settings(max_examples=examples(500), deadline=None)
@given(field=st.sampled_from(FIELDS), shape=shapes, text=distinctive)
def test_what_a_field_holds_is_in_no_reason_and_no_warning(field: str, shape: Any, text: str) -> None:
    value = shape(text)
    if isinstance(value, dict) and text in value:
        value = [text]  # names of members are shown where they look like those of a program
    fields = a_conversion()
    put(fields, field, value)
    try:
        _, said = report_conversion_event(fields, now=None)
    except EventInvalid as exc:
        said = [exc.reason]

    assert [words for words in said if text in words] == []


@pytest.mark.parametrize("field", sorted(SHOWN))
def test_what_is_said_to_be_shown_is_shown(field: str) -> None:
    with pytest.raises(EventInvalid, match="purchased"):
        report_conversion_event(a_conversion(**{field: "purchased"}), now=None)


#: In ids digits are no phone number; a user agent is no text of a person.
IDS = {"event_id", "custom_data.order_id", "user_data.click_id", "user_data.partner_id", "user_data.client_user_agent"}
IDS |= {field for field, read in READERS.items() if isinstance(read, FreeTextReader) and not read.is_words}
#: Ids and addresses are searched for encoded ones too.
DECODED = {
    field for field, read in READERS.items() if isinstance(read, TextReader) and type(read) is not FreeTextReader
}
DECODED |= {"event_id", "custom_data.order_id"}


def sent(fields: dict[str, Any]) -> str:
    """Return all that is sent of an event, and all that is said of it, as text; also of one that is refused."""
    try:
        return str(report_conversion_event(fields, now=None))
    except EventInvalid as exc:
        return exc.reason


#: Ways of writing an address that are found in every text.
PLAIN_WAYS = {"percent", "quoted", *OTHER_SIGNS}
emails = st.from_regex(r"[a-z]{3,9}(\+tag)?@[a-z]{3,8}\.example", fullmatch=True)


@pytest.mark.slow
@settings(max_examples=examples(500), deadline=None)
@given(
    field=st.sampled_from(sorted(READERS)),
    email=emails,
    around=st.tuples(st.sampled_from(["", "for ", "https://shop.example/?u="]), st.sampled_from(["", " only", "&x=1"])),
    way=st.sampled_from(sorted(written("a@b.example"))),
)
@example(field="user_data.click_id", email="eva@shop.example", around=("", ""), way="percent")
def test_no_email_address_leaves_in_a_text(field: str, email: str, around: tuple[str, str], way: str) -> None:
    cut = email.partition("@")[0] + "@"
    address = written(email)[way if field in DECODED or way in PLAIN_WAYS else "plain"]
    text = around[0] + address + around[1]
    fields = a_conversion()
    put(fields, field, text)
    whole = sent(fields)

    assert address.rstrip("=") not in whole
    assert email not in whole
    assert cut not in whole, "what is cut is cut after the address has gone"


@settings(max_examples=examples(200), deadline=None)
@given(
    field=st.sampled_from(sorted(READERS.keys() - IDS - SHOWN)),
    phone=st.from_regex(r"\+[1-9][0-9]{2} [0-9]{3} [0-9]{5}", fullmatch=True),
)
def test_no_phone_number_leaves_in_a_text_but_an_id(field: str, phone: str) -> None:
    fields = a_conversion()
    put(fields, field, f"call {phone}")

    assert phone not in sent(fields)
