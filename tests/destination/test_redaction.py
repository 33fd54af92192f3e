"""Personal data is taken out of addresses, searches and answers, and nothing else is."""

from pathlib import Path

import pytest

from app.config import Settings
from app.destination import ConversionRules, redact
from app.destination.redaction import ALWAYS_REDACTED, Redactor

TAKE_OUT = Redactor(ConversionRules().redacted_parameters)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("https://shop.example/?email=jane@example.com&x=1", "https://shop.example/?email=&x=1"),
        ("https://shop.example/?q=jane%40example.com", "https://shop.example/?q="),
        ("https://shop.example/?q=jane%2540example.com#a", "https://shop.example/?q=#a"),
        ("https://jane:secret@shop.example/a", "https://shop.example/a"),
        ("https://shop.example/#First_Name=Jane&x=1", "https://shop.example/#First_Name=&x=1"),
        ("https://shop.example/?token=abc&e=x", "https://shop.example/?token=&e="),
        ("https://shop.example/?firstname=Jane&LastName=Doe", "https://shop.example/?firstname=&LastName="),
        ("https://shop.example/?mobile=12&dob=1990-01-02", "https://shop.example/?mobile=&dob="),
        ("https://shop.example/?customer[email]=jane&x[size]=4", "https://shop.example/?customer[email]=&x[size]=4"),
        (
            "https://shop.example/#a=1&billing_address%5Bphone%5D=0123&x=1",
            "https://shop.example/#a=1&billing_address%5Bphone%5D=&x=1",
        ),
        (
            "https://shop.example/?a[b][last_name]=Doe;email[]=j;tel%5b0%5d=1",
            "https://shop.example/?a[b][last_name]=;email[]=;tel%5b0%5d=",
        ),
        ("https://shop.example/?q=%2B49%2030%20123456&x=1", "https://shop.example/?q=&x=1"),
        ("https://shop.example/?q=+14155551234", "https://shop.example/?q="),
        ("shoes for jane.doe+news@example.co.uk", "shoes for "),
        ("call +1 (415) 555-1234 now", "call  now"),
        ("call (415) 555-1234", "call "),
        ("call 415-555-1234, please", "call , please"),
        ("call 030 123456", "call "),
        ("call 06 12 34 56 78", "call "),
    ],
)
def test_personal_data_is_taken_out(given: str, left: str) -> None:
    assert TAKE_OUT(given) == left


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example/p/walnut-stool?epik=dj0yJnU9dGVzdA&size=40",
        "https://shop.example/2026/03/04/4155551234",
        "https://shop.example/?ids=10+12+14+16+18+20",
        "https://shop.example/?time=2026-03-04T06:07:08+00:00",
        "https://shop.example/@jane/a.b",
        "https://shop.example/?message=hello&named=stool&size[name_of]=4",
        "https://shop.example/?filter[size]=4&mobile_view[]=1&email_sent=1&x[emails]=2",
        "Tisch für 6 Personen, 180 x 90",
        "ean 4006381333931",
        "0.25 carat, 05 03 2026",
        "Given timestamp is in the past. Current timestamp: 1727469267, Given event_timestamp: 1678203524",
        "user_data.em must be an array",
        "",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert TAKE_OUT(text) == text


@pytest.mark.parametrize(
    "text", ["https://shop.example/call/4155551234/", "q 14155551234", "0415-555 12 34", "415%20555%201234"]
)
def test_the_phone_of_the_event_itself_is_found_in_any_form(text: str) -> None:
    digits = "".join(filter(str.isdecimal, TAKE_OUT(text, phones=["14155551234"])))

    assert "5551234" not in digits
    assert "4006381" in TAKE_OUT("ean 4006381333931", phones=["14155551234"])


def test_answers_show_where_something_stood() -> None:
    assert redact("em: jane@example.com is bad, https://a:b@c.example/?tel=5") == (
        "em: [redacted] is bad, https://[redacted]@c.example/?tel=[redacted]"
    )


def test_names_and_tokens_go_whatever_is_set() -> None:
    take_out = Redactor(())
    always = ("name", "fullname", "first_name", "last_name", "access_token", "token", "Customer[Name]", "names[]")

    left = {name: take_out(f"https://shop.example/?{name}=Jane&x=1") for name in always}

    assert left.pop("names[]") == "https://shop.example/?names[]=Jane&x=1"
    assert left == {name: f"https://shop.example/?{name}=&x=1" for name in left}
    assert take_out("https://shop.example/?email[]=x") == "https://shop.example/?email[]=x"


def test_the_setting_and_the_rules_have_one_list() -> None:
    assert Settings.model_fields["redacted_parameters"].default == ConversionRules().redacted_parameters


def test_a_long_text_takes_no_long_time() -> None:
    """A run that could be an address at each of its characters is read once: this would take minutes otherwise."""
    text = "a" * 200_000 + "%4" + " @ 40" + "?[" * 100_000 + "="

    assert TAKE_OUT(text) == text


def test_the_documentation_names_the_parameters_that_always_go(root: Path) -> None:
    documented = (root / "docs" / "privacy.md").read_text("utf-8")

    assert [name for name in ALWAYS_REDACTED if f"`{name}`" not in documented] == []
