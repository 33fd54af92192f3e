"""What somebody types is known by the digest that events of the same person carry."""

from hashlib import sha256

from app.config.settings import ConversionSettings
from app.core.values.candidates import one_place_only
from app.destination import TypedPerson
from app.destination.user_data import UserDataReader
from tests.rows import every_row

DIGEST = sha256(b"ann@shop.example").hexdigest()


@every_row(
    ("typed", "country", "hashed"),
    [
        (" Ann@Shop.Example ", None, "ann@shop.example"),
        ("mailto:ann@shop.example", None, "ann@shop.example"),
        ("+1 (415) 555-1234", None, "14155551234"),
        ("0049 30 901820", None, "4930901820"),
        ("(415) 555-1234", "US", "14155551234"),
        ("415 555 1234", None, "4155551234"),
    ],
)
def test_it_is_the_digest_that_is_sent(typed: str, country: str | None, hashed: str) -> None:
    rules = ConversionSettings.model_construct(default_country=country)
    digest = TypedPerson(rules)(typed)
    assert digest == sha256(hashed.encode()).hexdigest()
    field, wire = ("email", "em") if "@" in typed else ("phone", "ph")
    sent, _ = UserDataReader(rules)({field: typed}, one_place_only, [])
    assert sent is not None
    assert sent[wire] == [digest]


def test_a_digest_is_taken_as_it_is() -> None:
    assert TypedPerson(ConversionSettings.model_construct())(f" {DIGEST.upper()} ") == DIGEST


@every_row("typed", ["", "ann", "ann@", "SO-1001", "123456", "12345-abc", "@", "+", "-------"])
def test_all_else_is_nobody(typed: str) -> None:
    assert TypedPerson(ConversionSettings.model_construct())(typed) is None
