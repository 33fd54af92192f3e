"""Personal data is taken out of addresses, searches and answers, and nothing else is."""

from pathlib import Path

import pytest

from app.config.settings import ConversionSettings
from app.destination import redact
from app.destination.redaction import ALWAYS_REDACTED, Redactor
from tests.rows import every_row

TAKE_OUT = Redactor(ConversionSettings.model_construct().redacted_parameters)


@every_row(
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
        (
            "https://shop.example/?next=%2Fthanks%3Ffirst_name%3DAda%26token%3Dsecret123%26x%3D1&y=2",
            "https://shop.example/?next=%2Fthanks%3Ffirst_name%3D%26token%3D%26x%3D1&y=2",
        ),
        (
            "https://shop.example/?next=%252Fa%253Ftoken%253Dabc%2526x%253D1",
            "https://shop.example/?next=%252Fa%253Ftoken%253D%2526x%253D1",
        ),
        ("https://shop.example/?q=first_name%3DAda%26x%3D1", "https://shop.example/?q=first_name%3D%26x%3D1"),
        ("https://shop.example/?next=/a?customer.name=Ada&x=1", "https://shop.example/?next=/a?customer.name=&x=1"),
        ("https://shop.example/?customer.first_name=Ada&x.y=1", "https://shop.example/?customer.first_name=&x.y=1"),
        ("https://shop.example/?email.0=j&a.b.Token=x", "https://shop.example/?email.0=&a.b.Token="),
        ("https://shop.example/?first%5Fname=Ada&x%5Fy=1", "https://shop.example/?first%5Fname=&x%5Fy=1"),
        ("https://shop.example/?%66irst%255fname=Ada", "https://shop.example/?%66irst%255fname="),
        ("https://shop.example/?%20name=Ada&+name=Bob&name%20=Eve", "https://shop.example/?%20name=&+name=&name%20="),
        ("https://shop.example/to/%3Ftoken%3Dabc", "https://shop.example/to/%3Ftoken%3D"),
        ("https://shop.example/#!token=abc&x=1", "https://shop.example/#!token=&x=1"),
        ("https://shop.example/#/token=abc", "https://shop.example/#/token="),
        ("https://shop.example/?a%5Btoken%5D=x%26y&b=1", "https://shop.example/?a%5Btoken%5D=&b=1"),
        ("https://shop.example/?q=%2B49%2030%20123456&x=1", "https://shop.example/?q=&x=1"),
        ("https://shop.example/?q=+14155551234", "https://shop.example/?q="),
        ("shoes for jane.doe+news@example.co.uk", "shoes for "),
        ("call +1 (415) 555-1234 now", "call  now"),
        ("call (415) 555-1234", "call "),
        ("call 415-555-1234, please", "call , please"),
        ("call 415\u2011555\u20131234", "call "),
        ("call +49\u201130\u2011123456", "call "),
        ("call 030 123456", "call "),
        ("call 06 12 34 56 78", "call "),
        ("Ünal: call \uff10\uff13\uff10 \uff11\uff12\uff13\uff14\uff15\uff16 now", "Ünal: call  now"),
        ("call \uff0b49 30 \u200b123456", "call "),
        ("for jane\uff20shop.example, \uff11 piece", "for , 1 piece"),
        ("for jane@sh\u00adop.example", "for "),
        ("https://shop.example/?q=jane\u200b@shop.example&x=ü", "https://shop.example/?q=&x=ü"),
    ],
)
def test_personal_data_is_taken_out(given: str, left: str) -> None:
    assert TAKE_OUT(given) == left


@every_row(
    "text",
    [
        "https://shop.example/p/walnut-stool?epik=dj0yJnU9dGVzdA&size=40",
        "https://shop.example/2026/03/04/4155551234",
        "https://shop.example/?ids=10+12+14+16+18+20",
        "https://shop.example/?time=2026-03-04T06:07:08+00:00",
        "https://shop.example/@jane/a.b",
        "https://shop.example/?message=hello&named=stool&size[name_of]=4",
        "https://shop.example/?filter[size]=4&mobile_view[]=1&email_sent=1&x[emails]=2",
        "https://shop.example/?next=%2Fa%3Fx%3D1%26names%3DAda&name.of=1&first%5Fnames=1&.=1&%=1&a.b=name",
        "https://shop.example/?q=name%3D&token.=&x=1%3F",
        "\uff34able for \u00bd of \u2116 5, \U0001f469\u200d\U0001f373",
        "Tisch für 6 Personen, 180 x 90",
        "ean 4006381333931",
        "0.25 carat, 05 03 2026",
        "Given timestamp is in the past. Current timestamp: 1727469267, Given event_timestamp: 1678203524",
        "user_data.em must be an array",
        "",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    assert TAKE_OUT(text) == text


@every_row(
    "text",
    [
        "https://shop.example/call/4155551234/",
        "q 14155551234",
        "0415-555 12 34",
        "415%20555%201234",
        "\uff14\uff11\uff15\uff0d555\uff0d1234",
    ],
)
def test_the_phone_of_the_event_itself_is_found_in_any_form(text: str) -> None:
    digits = "".join(filter(str.isdecimal, TAKE_OUT(text, phones=["14155551234"])))

    assert "5551234" not in digits
    assert "4006381" in TAKE_OUT("ean 4006381333931", phones=["14155551234"])


@every_row(
    ("text", "left"),
    [
        ("Mug +49 30/901820", "Mug "),
        ("Mug 030/901820, blue", "Mug , blue"),
        ("Mug 030 / 90 18 20", "Mug "),
        *[(f"Mug +49{dash}30{dash}901820", "Mug ") for dash in "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212 /"],
        ("30/90/18/20", ""),
        ("?q=030%2F901820&x=1", "?q=&x=1"),
        ("?q=%2B49%E2%80%9130%E2%80%91901820", "?q="),
        # beside dates and numbers
        ("/2026/03/04/30901820", "/2026/03/04/"),
        ("12/030/901820/7", "12//7"),
        ("/030901820/4930901820", "/"),
        ("(+49) 30/901820", "("),
        # nobody's
        *[
            (text, text)
            for text in ("12/34567890", "/2026/03/04/40/50", "+1/2/3/4/5/6/7", "30/901821", "1,234/5678901")
        ],
        *[(text, text) for text in ("ean 4006381333931/12", "01/02/2026 - 03/04/2026", "90/1820", "?t=2026%2F03%2F04")],
    ],
)
def test_the_persons_own_number_is_known_with_slashes_and_all_kinds_of_dashes(text: str, left: str) -> None:
    assert TAKE_OUT(text, phones=["4930901820"]) == left


@every_row("text", ["12/34567890", "30/901820", "030/901820", "Order 2026/0304/123456", "4-5/6/7/8/9/10/11"])
def test_numbers_with_slashes_that_are_nobodys_stay(text: str) -> None:
    assert TAKE_OUT(text) == text


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


@pytest.mark.slow
def test_a_long_text_takes_no_long_time() -> None:
    """A run that could be an address at each of its characters is read once: this would take minutes otherwise."""
    text = "a" * 200_000 + "%4" + " @ 40" + "?[" * 100_000 + "=" + "%25" * 50_000 + "=a%3" * 20_000

    assert TAKE_OUT(text) == text
    assert TAKE_OUT(text + "1/" * 50_000, phones=["4930901820"]) == text + "1/" * 50_000


def test_digits_that_are_of_nobody_are_taken_out_of_what_is_sent_of_whom_they_call() -> None:
    """Addresses are remembered that held nothing: of one with digits that only says what holds for others."""
    take_out, address, number = Redactor(()), "https://shop.example/p/8475551234", "18475551234"

    assert [take_out(address, phones=phones) for phones in ((), [number], (), ["4930901820"], [number])] == [
        address,
        "https://shop.example/p/",
        address,
        address,
        "https://shop.example/p/",
    ]


def test_what_is_remembered_of_addresses_is_bounded() -> None:
    take_out = Redactor(())
    for n in range(20_000):
        take_out(f"https://shop.example/p/847555{n:04}")
        take_out(f"https://shop.example/{n}", phones=["18475551234"])
    take_out("https://shop.example/" + "x" * 1_000)

    assert all(0 < len(known) <= 8_192 for known in (take_out.harmless, take_out.harmless_alone))
    assert not any("x" in each.removeprefix("https://shop.example/") for each in take_out.harmless)


def test_the_documentation_names_the_parameters_that_always_go(root: Path) -> None:
    documented = (root / "docs" / "privacy.md").read_text("utf-8")

    assert [name for name in ALWAYS_REDACTED if f"`{name}`" not in documented] == []
