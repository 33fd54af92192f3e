"""Names and the address of an event are one person's: the buyer's, and never of somebody whose order it is not."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.presets.conftest import Make
from tests.rounds import examples
from tests.rows import every_row

ADA = {"first_name": "Ada", "last_name": "Miller"}
BOB = {"first_name": "Bob", "last_name": "Stone"}
BERLIN = {"city": "Berlin", "country": "DE"}
PARIS = {"city": "Paris", "country": "FR"}
EMAIL = "ada@shop.example"
OTHER = "bob@shop.example"


def told_of(user_data: dict[str, Any]) -> tuple[str, str]:
    """Return whose name and which city is sent, in words."""
    names = {sha256(name.encode()).hexdigest(): name for name in ("ada", "bob", "miller", "stone", "berlin", "paris")}
    read = {wire: "+".join(names[digest] for digest in user_data.get(wire, ())) for wire in ("fn", "ln", "ct")}
    return " ".join(filter(None, (read["fn"], read["ln"]))), read["ct"]


@every_row(
    ("what", "event", "name", "city"),
    [
        ("nothing", {}, "", ""),
        ("flat properties", {"properties": ADA | BERLIN}, "ada miller", "berlin"),
        ("an address in the properties", {"properties": {"address": BERLIN}}, "", "berlin"),
        ("the customer", {"properties": {"customer": ADA | {"default_address": BERLIN}}}, "ada miller", "berlin"),
        ("traits of the context", {"context": {"traits": ADA | {"address": BERLIN}}}, "ada miller", "berlin"),
        ("traits", {"traits": ADA | BERLIN}, "ada miller", "berlin"),
        ("billing", {"properties": {"billing": ADA | BERLIN}}, "ada miller", "berlin"),
        ("a billing address", {"properties": {"billing_address": ADA | BERLIN}}, "ada miller", "berlin"),
        ("`user_data` comes first", {"properties": BOB | PARIS | {"user_data": ADA | BERLIN}}, "ada miller", "berlin"),
        ("flat properties before the customer", {"properties": ADA | {"customer": BOB}}, "ada miller", ""),
        ("the customer before traits", {"properties": {"customer": ADA}, "traits": BOB}, "ada miller", ""),
        ("traits before billing", {"properties": {"billing": BOB}, "traits": ADA}, "ada miller", ""),
        (
            "names of one block, the address of another",
            {"properties": {"customer": ADA}, "traits": BERLIN},
            "ada miller",
            "berlin",
        ),
        ("a first name alone is not completed", {"properties": {"first_name": "Ada"}, "traits": BOB}, "ada", ""),
        ("a country alone is not completed", {"properties": {"country": "DE"}, "traits": PARIS}, "", ""),
        ("what says nothing is no block", {"properties": {"first_name": "(not set)"}, "traits": ADA}, "ada miller", ""),
        ("what cannot be read is none", {"properties": {"city": "---"}, "traits": BERLIN}, "", "berlin"),
        ("nor is an object", {"properties": {"first_name": {"a": 1}}, "traits": ADA}, "ada miller", ""),
        (
            "a name before that of an address in the same block",
            {"traits": ADA | {"address": BOB | BERLIN}},
            "ada miller",
            "berlin",
        ),
        (
            "halves of two names are not put together",
            {"traits": {"first_name": "Ada", "address": {"last_name": "Stone"} | BERLIN}},
            "ada",
            "berlin",
        ),
        (
            "a whole name before that of an address",
            {"traits": {"name": "Ada Miller", "address": BOB | BERLIN}},
            "ada miller",
            "berlin",
        ),
        (
            "the name of an address where the block has none that can be read",
            {"properties": {"customer": {"first_name": {"a": 1}, "default_address": ADA | BERLIN}}},
            "ada miller",
            "berlin",
        ),
        ("RudderStack's spellings", {"traits": {"firstname": "Ada", "lastname": "Miller"}}, "ada miller", ""),
        ("a whole name of two words", {"traits": {"name": " Ada  Miller "}}, "ada miller", ""),
        ("in the context too", {"context": {"traits": {"name": "Ada Miller"}}}, "ada miller", ""),
        ("a whole name of three words is not split", {"traits": {"name": "Ada B. Miller"}}, "", ""),
        ("nor is one whose last name comes first", {"traits": {"name": "Miller, Ada"}}, "", ""),
        ("nor is one of one word", {"traits": {"name": "Ada"}}, "", ""),
        ("its parts come before the whole", {"traits": ADA | {"name": "Bob Stone"}}, "ada miller", ""),
        ("the name of a product is no person's", {"properties": {"name": "Ada Miller"}}, "", ""),
        (
            "a block with the buyer's e-mail address",
            {"properties": {"email": EMAIL, "customer": ADA | {"email": "Ada@Shop.example "}}},
            "ada miller",
            "",
        ),
        (
            "a block with another e-mail address is somebody else's",
            {"properties": {"email": EMAIL, "customer": BOB | PARIS | {"email": OTHER}}, "traits": ADA | BERLIN},
            "ada miller",
            "berlin",
        ),
        (
            "an address that is none says nothing of whose it is",
            {"properties": {"email": EMAIL, "customer": ADA | {"email": "guest"}}},
            "ada miller",
            "",
        ),
        (
            "an e-mail address of another spelling",
            {"properties": {"user_data": {"email": EMAIL}}, "traits": BOB | {"user_email": OTHER}},
            "",
            "",
        ),
        ("the recipient of a gift", {"properties": {"email": EMAIL, "shipping": BOB | PARIS}}, "", ""),
        ("an address to send to, of nobody", {"properties": {"email": EMAIL, "shipping_address": PARIS}}, "", ""),
        (
            "the buyer's name on the parcel",
            {"properties": ADA | {"email": EMAIL, "shipping_address": ADA | BERLIN}},
            "ada miller",
            "berlin",
        ),
        (
            "the buyer's name in other letters",
            {"properties": ADA | {"shippingAddress": {"firstName": "ADA ", "lastName": "Miller"} | BERLIN}},
            "ada miller",
            "berlin",
        ),
        (
            "the buyer's name as a whole",
            {"properties": {"email": EMAIL, "shipping": {"name": "Ada Miller"} | BERLIN}, "traits": ADA},
            "ada miller",
            "berlin",
        ),
        (
            "half of the buyer's name",
            {"properties": ADA | {"shipping": {"first_name": "Ada"} | PARIS}},
            "ada miller",
            "",
        ),
        ("another name", {"properties": ADA | {"email": EMAIL, "shipping": BOB | PARIS}}, "ada miller", ""),
        (
            "the buyer's e-mail address on the parcel",
            {"properties": {"email": EMAIL, "shipping": ADA | BERLIN | {"email": EMAIL}}},
            "ada miller",
            "berlin",
        ),
        (
            "another e-mail address, though the name is the same",
            {"properties": ADA | {"email": EMAIL, "shipping": ADA | PARIS | {"email": OTHER}}},
            "ada miller",
            "",
        ),
        (
            "the buyer's e-mail address beside another name: a gift",
            {"properties": ADA | {"email": EMAIL, "shipping": BOB | PARIS | {"email": EMAIL}}},
            "ada miller",
            "",
        ),
        (
            "several people, each an object",
            {"properties": {"user_data": [{"email": EMAIL} | ADA, {"email": OTHER} | BOB]}},
            "ada+bob miller+stone",
            "",
        ),
    ],
)
def test_names_and_address_come_from_one_block_each(
    what: str, event: dict[str, Any], name: str, city: str, sent_of: Make
) -> None:
    assert told_of(sent_of(**event)["user_data"]) == (name, city), what


@pytest.mark.parametrize(
    ("what", "event", "about"),
    [
        (
            "somebody else's block",
            {"properties": {"email": EMAIL, "customer": BOB | PARIS | {"email": OTHER}}},
            "user_data: properties.customer passed over, its e-mail address is not the one that is sent",
        ),
        (
            "a recipient's",
            {"properties": {"email": EMAIL, "shipping": BOB}},
            "user_data: properties.shipping passed over, it is the recipient's, who may be somebody else",
        ),
        (
            "a recipient of another name",
            {"properties": ADA | {"shipping": BOB | PARIS}},
            "user_data: properties.shipping passed over, it is the recipient's, whose name is not the buyer's",
        ),
        (
            "a value that cannot be read",
            {"traits": {"address": {"city": "---", "country": "DE"}}},
            "user_data.city (traits.address.city): a text of 3 characters left out, no letter is left of it",
        ),
    ],
)
def test_what_is_passed_over_is_told_with_its_place(
    what: str, event: dict[str, Any], about: str, told_by: Callable[..., list[str]]
) -> None:
    assert told_by(**event).count(about) == 1, what


#: What is said of somebody beside names and address, and what of it is hashed.
SAID = {
    "phone": ("ph", "+49 30 901820", "4930901820"),
    "gender": ("ge", "Female", "f"),
    "birthday": ("db", "1996-03-14", "19960314"),
}


@every_row("field", SAID)
@every_row(
    ("what", "event", "block", "is_sent"),
    [
        ("a block of nobody by name", {}, "properties.customer", True),
        ("the buyer's", {"properties.email": EMAIL}, "properties.customer", True),
        ("with the buyer's address", {"traits.email": EMAIL, "properties.email": EMAIL}, "traits", True),
        ("with another address", {"properties.user_data.email": EMAIL, "properties.email": OTHER}, "properties", False),
        ("somebody else's traits", {"properties.email": EMAIL, "traits.email": OTHER}, "traits", False),
        ("of another spelling", {"properties.email": EMAIL, "traits.userEmail": OTHER}, "traits", False),
        ("a customer's", {"traits.email": EMAIL, "properties.customer_email": OTHER}, "properties", False),
        ("who pays", {"properties.email": EMAIL, "properties.billing.email": OTHER}, "properties.billing", False),
        (
            "a company's",
            {"properties.email": EMAIL, "context.traits.customer.email": OTHER},
            "context.traits.customer",
            False,
        ),
        ("the recipient of a gift", {"properties.email": EMAIL}, "properties.shipping", False),
        (
            "the buyer's parcel",
            {"properties.email": EMAIL, "properties.shipping.email": EMAIL},
            "properties.shipping",
            True,
        ),
    ],
)
def test_what_is_said_of_somebody_else_is_not_sent_as_the_buyers(
    what: str,
    event: dict[str, str],
    block: str,
    is_sent: bool,  # noqa: FBT001 - a column
    field: str,
    sent_of: Make,
) -> None:
    wire, given, hashed = SAID[field]
    sent = sent_of(**laid_out(event | {f"{block}.{field}": given}))["user_data"]

    assert sent.get(wire) == ([sha256(hashed.encode()).hexdigest()] if is_sent else None), what


BLOCKS = (
    *("properties.user_data", "properties", "properties.customer", "context.traits", "traits"),
    *("properties.billing", "traits.billing_address", "properties.shipping", "traits.shipping"),
)


@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(emails=st.lists(st.sampled_from([None, EMAIL, OTHER, "eve@shop.example"]), min_size=9, max_size=9))
def test_nothing_is_sent_of_a_block_with_another_email_address_whichever_it_is(
    emails: list[str | None], sent_of: Make
) -> None:
    members: dict[str, str] = {}
    owner: dict[str, tuple[int, str]] = {}  # of what is hashed: of which block, under which name
    for number, (block, email) in enumerate(zip(BLOCKS, emails, strict=True)):
        said = {"first_name": f"ada{number}", "last_name": f"miller{number}", "phone": f"+4930901820{number}"}
        said |= {"birthday": f"199{number}-03-14", "city": f"ulm{number}", "zip": f"8907{number}"}
        members |= {f"{block}.{name}": value for name, value in said.items()}
        members |= {f"{block}.email": email} if email else {}
        for name, value in said.items():
            owner[sha256(value.lstrip("+").replace("-", "").encode()).hexdigest()] = (number, name)

    sent = sent_of(**laid_out(members))["user_data"]
    found = [owner[digests[0]] for wire, digests in sent.items() if wire in ("fn", "ln", "ph", "db", "ct", "zp")]
    buyer = [email for email in set(emails) if email and sent.get("em") == [sha256(email.encode()).hexdigest()]]

    assert bool(buyer) is any(emails[:6])
    assert {name for _, name in found} == {"first_name", "last_name", "phone", "birthday", "city", "zip"}
    assert not buyer or {emails[number] for number, _ in found} <= {None, *buyer}
    assert len({number for number, _ in found}) == 1


@pytest.mark.parametrize(
    ("what", "event", "number"),
    [
        (
            "of a block before that of its address",
            {"address.phone": "+4930222222", "phone": "+4930111111"},
            "4930111111",
        ),
        ("of its address where it has none", {"address.phone": "+4930222222", "phone": "n/a"}, "4930222222"),
        ("of the next block where it cannot be read", {"phone": "x", "customer.phone": "+4930222222"}, "4930222222"),
        (
            "of the next block, not of somebody else's",
            {"email": EMAIL, "customer.email": OTHER, "customer.phone": "+4930111111", "billing.phone": "+4930222222"},
            "4930222222",
        ),
    ],
)
def test_a_phone_number_is_that(what: str, event: dict[str, Any], number: str, sent_of: Make) -> None:
    properties = laid_out(event)

    assert sent_of(properties=properties)["user_data"]["ph"] == [sha256(number.encode()).hexdigest()], what


def laid_out(members: dict[str, Any]) -> dict[str, Any]:
    """Make an object of members that are named by their path."""
    result: dict[str, Any] = {}
    for path, value in members.items():
        *above, last = path.split(".")
        place = result
        for key in above:
            place = place.setdefault(key, {})
        place[last] = value
    return result


@every_row(
    ("what", "properties", "number"),
    [
        ("the country beside it", {"phone": "030 123456", "country": "DE"}, "4930123456"),
        ("that of a recipient who is skipped", {"phone": "030 123456", "shipping": BOB | BERLIN}, "4930123456"),
        ("the buyer's own before it", {"phone": "030 123456", "country": "DE", "shipping": BOB | PARIS}, "4930123456"),
        ("that of the customer", {"phone": "030 123456", "customer": {"address": BERLIN}}, "4930123456"),
        (
            "the one beside it, not the first",
            {"country": "DE", "billing": {"phone": "(415) 555-1234", "country": "US"}},
            "14155551234",
        ),
        (
            "that of an address beside it",
            {"country": "US", "customer": {"phone": "030 123456", "default_address": BERLIN}},
            "4930123456",
        ),
        (
            "the first where none stands beside it",
            {"customer": {"phone": "030 123456"}, "billing": BERLIN, "shipping": PARIS},
            "4930123456",
        ),
        (
            "not that of somebody else",
            {"phone": "030 123456", "email": EMAIL, "customer": {"email": OTHER} | BERLIN},
            "30123456",
        ),
    ],
)
def test_a_country_of_the_event_completes_a_phone_number(
    what: str, properties: dict[str, Any], number: str, sent_of: Make
) -> None:
    assert sent_of(properties=properties)["user_data"]["ph"] == [sha256(number.encode()).hexdigest()], what


@pytest.mark.parametrize(
    ("what", "properties", "wire", "form"),
    [
        ("no postal code", {"zip": "94107-1234", "shipping": BOB | BERLIN}, "zp", "94107"),
        ("no state", {"state": "California", "shipping": BOB | BERLIN}, "st", "ca"),
        ("a buyer's parcel does", ADA | {"zip": "01067-1", "shipping": ADA | BERLIN}, "zp", "010671"),
    ],
)
def test_the_country_of_a_recipient_completes_phone_numbers_only(
    what: str, properties: dict[str, Any], wire: str, form: str, sent_of: Make, compiled: Make
) -> None:
    sent = sent_of(properties=properties)["user_data"]
    name = "zip" if wire == "zp" else "state"
    mapped = compiled({"user_data": {name: {"@path": f"$.properties.{name}"}}}, {"properties": properties})["user_data"]

    assert sent[wire] == mapped[wire] == [sha256(form.encode()).hexdigest()], what


@pytest.mark.parametrize(
    ("people", "wire", "forms"),
    [
        (
            [{"phone": "030 901820", "country": "DE"}, {"phone": "(415) 555-1234", "country": "US"}],
            "ph",
            ["4930901820", "14155551234"],
        ),
        ([{"zip": "94107-1234", "country": "US"}, {"zip": "SW1A 2AA", "country": "GB"}], "zp", ["94107", "sw1a2aa"]),
        ([{"state": "CA", "country": "US"}, {"state": "Bavaria", "country": "DE"}], "st", ["ca", "by"]),
        ([{"zip": "94107-1234", "country": "US"}, {"zip": "94108-1234"}], "zp", ["94107", "94108"]),
    ],
)
def test_of_several_people_each_has_a_country(people: list[Any], wire: str, forms: list[str], sent_of: Make) -> None:
    sent = sent_of(properties={"user_data": people})["user_data"]

    assert sent[wire] == [sha256(form.encode()).hexdigest() for form in forms]


def test_a_phone_number_that_a_preset_maps_itself_is_completed_by_a_country_of_the_event(compiled: Make) -> None:
    event = {"properties": {"tel": "030 123456", "shipping": BOB | BERLIN}}

    sent = compiled({"user_data": {"phone": {"@path": "$.properties.tel"}}}, event)["user_data"]

    assert sent["ph"] == [sha256(b"4930123456").hexdigest()]


@pytest.mark.parametrize("block", ["context.traits", "properties.customer", "properties.shipping"])
def test_a_number_of_whichever_block_is_found_again_in_texts(block: str, sent_of: Make) -> None:
    event = laid_out(
        {f"{block}.phone": "030 901820", "properties.email": EMAIL, "properties.search_term": "030/901820"}
    )

    assert "search_string" not in sent_of(**event).get("custom_data", {})


@every_row(
    ("what", "event", "email"),
    [
        *[
            (f"{place}.{name}", {place: {name: EMAIL}}, EMAIL)
            for place in ("properties", "traits")
            for name in ("email", "user_email", "email_address", "userEmail")
        ],
        *[(f"context.traits.{name}", {"context": {"traits": {name: EMAIL}}}, EMAIL) for name in ("email", "userEmail")],
        *[
            (f"{place}.{name}.email", {place: {name: {"email": EMAIL}}}, EMAIL)
            for place in ("properties", "traits")
            for name in ("customer", "billing")
        ],
        ("a userId that is an address", {"userId": EMAIL}, EMAIL),
        ("after all others", {"userId": OTHER, "traits": {"email": EMAIL}}, EMAIL),
        ("a userId that is none", {"userId": "cust-1042"}, None),
        ("a guest, before an address", {"properties": {"email": "guest"}, "traits": {"email": EMAIL}}, EMAIL),
        ("that of the recipient never", {"properties": {"shipping": {"email": EMAIL}}}, None),
    ],
)
def test_an_email_address_is_found_in_the_places_in_use(what: str, event: Any, email: Any, sent_of: Make) -> None:
    sent = sent_of(**event)["user_data"]

    assert sent.get("em") == (None if email is None else [sha256(email.encode()).hexdigest()]), what
    assert ("external_id" in sent) is ("userId" in event)


def test_a_preset_that_maps_a_name_itself_keeps_it(compiled: Make) -> None:
    event = {"traits": ADA | BERLIN, "properties": {"nick": "Bob"}}

    sent = compiled({"user_data": {"first_name": {"@path": "$.properties.nick"}}}, event)["user_data"]
    missing = compiled({"user_data": {"first_name": {"@path": "$.properties.none"}}}, event)["user_data"]
    whole = compiled({"user_data": {"email": EMAIL, "city": None}}, event)["user_data"]

    assert told_of(sent) == ("bob miller", "berlin")
    assert told_of(missing) == ("miller", "berlin")
    assert told_of(whole) == ("ada miller", "")


@pytest.mark.parametrize("given", [{}, {"from_blocks": 5}, {"from_blocks": ["first_name"]}], ids=str)
def test_a_preset_that_maps_the_person_as_a_whole_gets_nothing_else(given: dict[str, Any], compiled: Make) -> None:
    event = {"traits": ADA | BERLIN, "properties": {"user": {"email": EMAIL} | given}}

    sent = compiled({"user_data": {"@path": "$.properties.user"}}, event)["user_data"]

    assert set(sent) == {"em"}
