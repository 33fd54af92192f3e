"""user_data: every vector, and what holds for all fields."""

import gc
import json
import sys
import time
import tracemalloc
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.settings import ConversionSettings
from app.core.fields import USER_FIELDS
from app.destination import ReportConversionEvent, hashed_fields, report_conversion_event
from app.destination.normalise import trimmed
from app.destination.user_data import UserDataReader
from app.errors import EventInvalid
from tests.destination.builders import a_conversion, of_user
from tests.destination.fields_table import PAGE, with_table
from tests.rows import every_row

VECTORS = Path(__file__).parent.parent / "conformance" / "user_data.ndjson"
WIRE = {field.name: field.wire for field in USER_FIELDS}
EMAIL = sha256(b"jane.doe@example.com").hexdigest()


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def wide(text: str) -> str:
    """Return a text in characters of full width, as Japanese keyboards write it."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def sent(fields: dict[str, Any], **rules: Any) -> tuple[dict[str, Any], list[str]]:
    event, warnings = ReportConversionEvent(ConversionSettings.model_construct(**rules))(fields, now=None)
    return event["user_data"], warnings


@pytest.mark.slow
def test_every_vector_holds(record_figure: Callable[[str, object], None]) -> None:
    rows = [json.loads(line) for line in VECTORS.read_text("utf-8").splitlines()]
    failed = {}
    for row in rows:
        given = {"country": row.get("country"), row["field"]: row["raw"], "client_ip_address": "203.0.113.1"}
        user_data, _ = sent(a_conversion(user_data=given | {"client_user_agent": "UA"}))
        expected = [row["sha256"]] if row["sha256"] else None
        if user_data.get(WIRE[row["field"]]) != expected:
            failed[row["id"]] = user_data
    record_figure("user_data vectors", f"{len(rows) - len(failed)} of {len(rows)} hold")
    assert failed == {}


@pytest.mark.slow
def test_what_is_not_seen_is_of_unicodes_category_cf() -> None:
    taken_out = {c for c in map(chr, range(sys.maxunicode + 1)) if not c.isspace() and trimmed(f"a{c}")[0] == "a"}

    assert {unicodedata.category(c) for c in taken_out} <= {"Cf", "Cn"}
    assert "\u00ad" in taken_out


def test_a_long_text_in_the_place_of_a_phone_number_takes_no_long_time() -> None:
    """Words behind the digits are looked for once; looked for from each blank, they would take 0.2 s."""
    began = time.process_time()
    user_data, _ = sent(a_conversion(user_data={"email": "a@b.co", "phone": "1" + " a" * 490 + "1", "country": "DE"}))

    assert "ph" not in user_data
    assert time.process_time() - began < 0.1


@pytest.mark.slow
def test_long_texts_are_not_remembered() -> None:
    def send(number: int) -> None:
        fields = dict.fromkeys((*WIRE, "client_ip_address", "client_user_agent"), f"{number} " + "x" * 100_000)
        sent(a_conversion(user_data=fields | {"hashed_maids": f"maid-{number}"}))

    for number in range(2):  # what is imported and measured for the first time does not count
        send(number)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(50):
            send(2 + number)
        gc.collect()  # readers of their own rules are made for each
        kept_bytes = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert kept_bytes < 2_000_000  # one of the fifty in each field would be 5,000,000


@every_row(
    ("user_data", "wire", "texts"),
    [
        pytest.param({"email": ["a@b.co", ["c@d.co"], None, ""]}, "em", ["a@b.co", "c@d.co"], id="lists are flattened"),
        pytest.param({"email": ["A@b.co", "a@b.co", digest("a@b.co")]}, "em", ["a@b.co"], id="equal digests go once"),
        pytest.param({"external_id": [7, 8.0]}, "external_id", ["7", "8"], id="numbers are texts, written as in JSON"),
        pytest.param({"gender": ["F", "what"]}, "ge", ["f"], id="one bad value does not spoil the others"),
        pytest.param({"phone": "011 49 30 123456", "country": "US"}, "ph", ["4930123456"], id="dialled from abroad"),
        pytest.param({"phone": "0049 30 123456", "country": "US"}, "ph", ["4930123456"], id="00 is international"),
        pytest.param({"phone": "(0049) 30 123456", "country": "US"}, "ph", ["4930123456"], id="00 in parentheses too"),
        pytest.param(
            {"phone": "Tel.: 0049 30 123456", "country": "US"}, "ph", ["4930123456"], id="00 behind a word too"
        ),
        pytest.param(
            {"phone": wide("0049") + " 30 123456", "country": "US"}, "ph", ["4930123456"], id="00 of full width too"
        ),
        pytest.param({"phone": "٠٠٤٩ ٣٠ ١٢٣٤٥٦", "country": "US"}, "ph", ["4930123456"], id="00 of other scripts too"),
        pytest.param({"phone": "+49-30-123456 (home)"}, "ph", ["4930123456"], id="a word behind it is no digits"),
        pytest.param({"phone": "415 555 1234 cell", "country": "US"}, "ph", ["14155551234"], id="nor is it in the US"),
        pytest.param({"phone": "555 1234 home", "country": "US"}, "ph", ["15551234"], id="nor behind a local number"),
        pytest.param(
            {"phone": "1 800 555 TELL", "country": "US"}, "ph", ["18005558355"], id="letters that complete it are"
        ),
        pytest.param({"phone": "02 9999 HELP", "country": "AU"}, "ph", ["61299994357"], id="so are these"),
        pytest.param({"phone": "1-800-FLOWERS", "country": "US"}, "ph", ["18003569377"], id="letters of a US number"),
        pytest.param({"phone": "415 555 1234 x12", "country": "US"}, "ph", ["14155551234"], id="an extension goes"),
        pytest.param(
            {"phone": "030/123456", "country": digest("de")}, "ph", ["4930123456"], id="the country is hashed"
        ),
        pytest.param({"phone": "4.155552671E9", "country": "US"}, "ph", ["14155552671"], id="a spreadsheet's number"),
        pytest.param({"phone": "4155552671.0", "country": "US"}, "ph", ["14155552671"], id="a table's number"),
        pytest.param({"phone": "+4930123456.0"}, "ph", ["4930123456"], id="a table's number with its sign"),
        pytest.param({"zip": "10115.0", "country": "DE"}, "zp", ["10115"], id="a table's zip"),
        pytest.param({"zip": "4107.0", "country": "US"}, "zp", ["04107"], id="a table's zip without its zero"),
        pytest.param({"date_of_birth": "19970206.0"}, "db", ["19970206"], id="a table's date"),
        pytest.param({"phone": "06 1234 5678", "country": "IT"}, "ph", ["390612345678"], id="zeros of Italy stay"),
        pytest.param({"first_name": "Rene\u0301e"}, "fn", ["renée"], id="accents of a first name are composed"),
        pytest.param({"last_name": "GARCI\u0301A"}, "ln", ["garcía"], id="accents of a last name are composed"),
        pytest.param({"city": "Mu\u0308nchen"}, "ct", ["münchen"], id="accents of a city are composed"),
        pytest.param(
            {"city": "I\u0307zmir"}, "ct", ["i\u0307zmir"], id="a dotted capital I is lowered to two characters"
        ),
        pytest.param({"phone": "4,930123456E+9"}, "ph", ["4930123456"], id="a German spreadsheet's number"),
        pytest.param({"phone": "\u202a+49 30 123456\u202c"}, "ph", ["4930123456"], id="marks of direction around it"),
        pytest.param(
            {"email": "jane\u00ad.doe@exam\u200bple.com\u200e"}, "em", ["jane.doe@example.com"], id="unseen in it"
        ),
        pytest.param({"external_id": "U\u200b-\u00ad7"}, "external_id", ["u-7"], id="unseen in an id"),
        pytest.param({"phone": "٠٩٨٧ ١٢٣٤"}, "ph", ["9871234"], id="digits of other scripts are digits"),
        pytest.param({"state": "Catalunya", "country": "Spain"}, "st", ["ct"], id="a state of the event's country"),
        pytest.param({"state": "AU-NSW"}, "st", ["nsw"], id="a state that says its country"),
        pytest.param({"state": "Washington, D.C."}, "st", ["dc"], id="a state as people call it"),
        pytest.param({"zip": 2138, "country": "US"}, "zp", ["02138"], id="a US zip that lost its zero as a number"),
        pytest.param({"zip": "00-950", "country": "PL"}, "zp", ["00950"], id="a zip of elsewhere loses its hyphen"),
        pytest.param({"zip": wide("94107-1234"), "country": "US"}, "zp", ["94107"], id="digits of full width in a zip"),
        pytest.param({"zip": wide("94107")}, "zp", ["94107"], id="likewise of no country"),
        pytest.param({"zip": "〒" + wide("100-0001"), "country": "JP"}, "zp", ["1000001"], id="likewise elsewhere"),
        pytest.param({"zip": "٩٤١٠٧", "country": "US"}, "zp", ["94107"], id="digits of other scripts in a zip"),
        pytest.param({"zip": "94107 - 1234"}, "zp", ["94107"], id="blanks around the hyphen"),
        pytest.param({"zip": "94107\u20131234"}, "zp", ["94107"], id="a dash between five and four"),
        pytest.param({"date_of_birth": wide("1997-02-06")}, "db", ["19970206"], id="digits of full width in a date"),
        pytest.param({"gender": wide("F")}, "ge", ["f"], id="a letter of full width"),
        pytest.param({"gender": "Non\u2011binary"}, "ge", ["n"], id="a hyphen that keeps words together"),
        pytest.param({"city": "L'Aquila"}, "ct", ["laquila"], id="a city loses punctuation"),
        pytest.param({"city": "जयपुर"}, "ct", ["जयपुर"], id="vowel signs of a city are no punctuation"),
        pytest.param({"country": "Deutschland"}, "country", ["de"], id="a country in another language"),
        pytest.param({"country": "The Gambia"}, "country", ["gm"], id="a country with its article"),
        pytest.param({"date_of_birth": 19970206}, "db", ["19970206"], id="a date as a number"),
        pytest.param({"date_of_birth": "1997-02-06T00:00:00Z"}, "db", ["19970206"], id="a date loses its time"),
    ],
)
def test_values_become_digests(user_data: dict[str, Any], wire: str, texts: list[str]) -> None:
    got, _ = sent(of_user(**user_data))

    assert [digest(text) for text in texts] == got[wire]


@every_row(
    ("user_data", "about"),
    [
        ({"email": {"a": 1}}, "user_data.email: an object of 1 member left out, a text is expected"),
        ({"email": True}, "user_data.email: a true/false left out, a text is expected"),
        ({"email": "null"}, "user_data.email: a text of 4 characters left out, it is blank or a placeholder"),
        ({"email": "a" * 32}, "MD5 or SHA-1"),
        ({"phone": "a" * 40}, "MD5 or SHA-1"),
        ({"email": "x" * 2000}, "longer than 1000"),
        ({"phone": "12", "country": "Atlantis"}, "user_data.country: a text of 8 characters left out, no country"),
        ({"phone": "nothing", "country": "US"}, "it is no phone number of its country"),
        ({"phone": "1" * 99, "country": "US"}, "it is no phone number of its country"),
        ({"phone": "+14155551234 / +14155559999"}, "no phone number has more than 15 digits"),
        ({"phone": 10**40}, "no phone number has more than 15 digits"),
        ({"phone": "4155551234567890", "country": "US"}, "the number is too short or too long for its country"),
        ({"phone": "000"}, "no digit is left of it"),
        ({"phone": "4.15555E+09", "country": "US"}, "it is a number that a spreadsheet has rounded"),
        ({"phone": "12", "country": "US"}, "the number is too short or too long for its country"),
        ({"phone": "12", "country": "DE"}, "a text of 2 characters sent, though phone numbers are longer"),
        ({"phone": "call me", "country": "US"}, "it is no phone number of its country"),
        ({"phone": "01 650 253 0000", "country": "US"}, "the number is too short or too long for its country"),
        ({"phone": "+1 016 502 530 000"}, "the number is too short or too long for its country"),
        ({"phone": "5551234"}, "sent without a country code: neither the event nor DEFAULT_COUNTRY"),
        ({"date_of_birth": "26.12.1997"}, "no date that begins with the year"),
        ({"date_of_birth": "1997-02-30"}, "there is no such day"),
        ({"gender": "u"}, "it is not one of f, female"),
        ({"city": "---"}, "no letter is left of it"),
        ({"state": "NSW"}, "no state of the US bears this name or code"),
        ({"state": "ZZ-99"}, "no state of the US bears this name or code"),
        ({"zip": "123", "country": "US"}, "it is no US zip code"),
        ({"zip": "SW1A 1AA", "country": "US"}, "it is no US zip code"),
        ({"zip": "---"}, "no letter or digit is left of it"),
        ({"hashed_maids": "0000-0000"}, "all zeros"),
        ({"client_ip_address": "localhost"}, "it is no IPv4 or IPv6 address"),
        ({"client_ip_address": "fe80::1%eth0"}, "it is a private or reserved address and no person's"),
        (
            {"client_ip_address": "10.0.0.1"},
            "user_data.client_ip_address: a text of 8 characters left out, it is a priv",
        ),
        ({"client_user_agent": "python-requests/2.32"}, "it is that of a server's library, not of the person"),
        ({"client_ip_address": ["203.0.113.1", "203.0.113.2"]}, "Pinterest takes only one"),
        ({"client_user_agent": "undefined"}, "blank or a placeholder"),
        ({"click_id": {"a": 1}}, "user_data.click_id: an object of 1 member left out, a text is expected"),
        (
            {"click_id": "EAIaIQobChMI"},
            "user_data.click_id: a text of 12 characters left out, it is no click id of Pinterest",
        ),
        ({"shoe_size": 42, "jane@example.com": 1}, "user_data: shoe_size, (a name not shown) left out"),
    ],
)
def test_what_is_left_out_is_said_without_its_value(user_data: dict[str, Any], about: str) -> None:
    _, warnings = sent(a_conversion(user_data={"email": "a@b.co", "hashed_maids": "m"} | user_data))

    assert [warning for warning in warnings if about in warning], warnings


@pytest.mark.parametrize(
    ("rules", "user_data", "wire", "text"),
    [
        ({"default_country": "de"}, {"phone": "030 123456"}, "ph", "4930123456"),
        ({"default_country": "DE"}, {"phone": "(415) 555-1234", "country": "US"}, "ph", "14155551234"),
        ({"external_id_keep_case": True}, {"external_id": "dWlkPU a"}, "external_id", "dWlkPUa"),
    ],
    ids=["DEFAULT_COUNTRY completes phones", "the event's country wins", "EXTERNAL_ID_KEEP_CASE"],
)
def test_settings_change_the_rule(rules: dict[str, Any], user_data: dict[str, Any], wire: str, text: str) -> None:
    got, _ = sent(of_user(**user_data), **rules)

    assert [digest(text)] == got[wire]


@pytest.mark.parametrize("address", ["203.0.113.1", "2001:db8::1", " 203.0.113.1 "])
def test_addresses_stay_plain(address: str) -> None:
    got, warnings = sent(of_user(client_ip_address=address))

    assert address.strip() == got["client_ip_address"]
    assert warnings == []


@pytest.mark.parametrize(
    ("what", "given", "address"),
    [
        ("a list of addresses", "203.0.113.9, 70.41.3.18", "203.0.113.9"),
        ("several, the first of them private", ["10.0.0.7", "203.0.113.9:443"], "203.0.113.9"),
        ("IPv4 within IPv6", "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_first_public_address_is_sent_with_a_warning(what: str, given: Any, address: str) -> None:
    got, warnings = sent(of_user(client_ip_address=given))

    assert got["client_ip_address"] == address, what
    assert [warning for warning in warnings if "sent without the text around" in warning], warnings


@every_row(
    ("what", "given"),
    [
        ("quotes", '"Jane.Doe@example.com"'),
        ("single quotes", "'jane.doe@example.com'"),
        ("quotes of word processors", "\u201ejane.doe@example.com\u201c"),
        ("mailto", "mailto:jane.doe@example.com"),
        ("MAILTO with a subject", "MAILTO:jane.doe@example.com?subject=hello"),
        ("angle brackets alone", "<jane.doe@example.com>"),
        ("a comma behind it", "jane.doe@example.com,"),
        ("a semicolon behind it", "jane.doe@example.com ; "),
        ("a full stop behind it", "jane.doe@example.com."),
        ("all of them", "'<\"mailto: jane.doe@example.com\">';,. "),
        ("all of them in another order", "mailto:<'jane.doe@example.com.' >,"),
    ],
)
def test_what_stands_around_an_email_goes_with_a_warning(what: str, given: str) -> None:
    got, warnings = sent(of_user(email=given))

    assert got["em"] == [EMAIL], what
    about = f"user_data.email: a text of {len(given)} characters sent without the marks around it"
    assert warnings == [about]


@pytest.mark.parametrize(
    "given", ["Jane <jane.doe@example.com>", "<jane.doe@example.com> Jane", "<jane.doe@example.com"]
)
def test_a_name_beside_an_address_is_not_sent(given: str) -> None:
    got, _ = sent(of_user(email=given))

    assert "em" not in got


@given(
    marks=st.lists(st.sampled_from(["'", '"', "<>", "mailto:", ",", ";", ".", " ", "\u200b"]), max_size=8),
    blanks=st.booleans(),
)
def test_marks_go_repeatedly_and_in_any_order(marks: list[str], blanks: bool) -> None:  # noqa: FBT001 - generated
    text = "jane.doe@example.com"
    for mark in marks:
        before, behind = {"<>": ("<", ">"), "mailto:": (mark, ""), "'": (mark, mark), '"': (mark, mark)}.get(
            mark, ("", mark)
        )
        text = f"{before}{' ' * blanks}{text}{' ' * blanks}{behind}"

    got, _ = sent(of_user(email=text))

    assert got["em"] == [EMAIL]


@every_row(
    "user_data",
    [
        {"phone": "+14155551234", "external_id": "1"},
        {"client_ip_address": "203.0.113.1"},
        {"client_user_agent": "UA"},
        {"email": "no address"},
        {"hashed_maids": "00000000-0000-0000-0000-000000000000"},
        {},
        "a@example.com",
        [{"email": "a@example.com"}],
        None,
    ],
)
def test_without_an_identifier_the_event_is_invalid(user_data: Any) -> None:
    with pytest.raises(EventInvalid, match=r"at least one of em .* hashed_maids, or client_ip_address together with"):
        report_conversion_event(a_conversion(user_data=user_data), now=None)


def test_the_reason_says_why_the_identifier_was_no_use() -> None:
    with pytest.raises(EventInvalid, match=r"user_data\.email: a text of 10 characters left out, it is no address"):
        report_conversion_event(a_conversion(user_data={"email": "no address"}), now=None)


def test_testers_see_the_form_that_is_hashed() -> None:
    fields = of_user(email=[" A@b.co", "a@b.co", "x"], phone="(415) 555-1234", country="usa", state="null")

    forms = {name: each.form for name, each in hashed_fields(fields, ConversionSettings.model_construct()).items()}

    assert forms == {
        "email": "a@b.co",
        "phone": "14155551234",
        "country": "us",
        "hashed_maids": "7a3cbea0-bdf5-11e4-8dfc-aa07a5b093db",
    }
    assert hashed_fields({"user_data": "text"}, ConversionSettings.model_construct()) == {}


def test_the_documentation_shows_the_table() -> None:
    page = PAGE.read_text("utf-8")

    assert with_table(page) == page, "run `make reference`"


@every_row("field", USER_FIELDS, ids=lambda field: field.name)
def test_examples_of_the_documentation_run(field: Any) -> None:
    given, normalised = field.example

    got, _ = sent(of_user(**{"country": "US", field.name: given}))

    assert got[field.wire] == ([digest(normalised)] if field.reading.hashed else normalised)


def test_texts_are_remembered_up_to_a_bound() -> None:
    reader = UserDataReader(ConversionSettings.model_construct())
    field = reader.fields["external_id"]
    for number in range(8_193):
        assert reader({"external_id": f"U-{number}"}) == ({"external_id": [digest(f"u-{number}")]}, ())
    assert field.known == {"U-8192": digest("u-8192")}
