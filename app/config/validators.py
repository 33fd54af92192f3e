"""Types of settings that check their values: bounded numbers, countries, currencies, states, addresses."""

import functools
import re
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import pycountry
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema
from pydantic_settings import NoDecode

from app.config.environment import NoneIsAlone, Secrets, Texts, each_validated, split_list


@functools.cache
def currencies() -> frozenset[str]:
    """Return the ISO 4217 codes in use, upper case; without XXX, which is no currency, and XTS, which is for tests."""
    return frozenset(currency.alpha_3 for currency in pycountry.currencies) - {"XXX", "XTS"}


#: A country without an ISO 3166 code but with phone numbers: Kosovo.
_IN_USE: Final = "XK"


def _country(text: str) -> str:
    code = text.upper()
    if code != _IN_USE and pycountry.countries.get(alpha_2=code) is None:
        raise ValueError(f"{text!r} is not a country code of ISO 3166: use two letters, such as US, GB or DE")
    return code


def _currency(text: str) -> str:
    code = text.upper()
    if code not in currencies():
        raise ValueError(f"{text!r} is not a currency code of ISO 4217: use three letters, such as USD, GBP or EUR")
    return code


def _amount_of(text: str) -> str:
    code, _, amount = text.partition(":")
    if not re.fullmatch(r"\d{1,12}(\.\d{1,6})?", amount.strip()):
        raise ValueError(f"{text!r} is no amount of a currency: write it as USD:1000")
    return f"{_currency(code.strip())}:{amount.strip()}"


def us_state_code(text: str) -> str:
    """Return the code of a state of the USA: `CA` for `ca`, `US-CA` or `California`.

    Raises ValueError for a text that is neither its code nor its full name in ISO 3166-2.
    """
    code = _us_states().get(_compared(text))
    if code is None:
        raise ValueError(
            f"{text!r} is not a state of the USA: use its code or full name, such as CA, US-CA or California"
        )
    return code


@cache
def _us_states() -> dict[str, str]:
    """Map all names of states, as normalised by `_compared`, to their codes."""
    codes = {"washingtondc": "DC"}  # the only common name that differs from ISO
    for state in pycountry.subdivisions.get(country_code="US"):  # type: ignore[no-untyped-call]  # pycountry's gap
        code = state.code.partition("-")[2]
        codes |= dict.fromkeys(map(_compared, (code, state.code, state.name)), code)
    return codes


def _compared(text: str) -> str:
    """Normalise a text for comparison: letters and digits, in any case."""
    return "".join(filter(str.isalnum, text.casefold()))


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, or a port that is no number
        is_one = False
    if not is_one or any(map(str.isspace, text)):
        raise ValueError("is not a URL: write it in full, such as https://example.com/path")
    return text


def _secret_address(secret: SecretStr) -> SecretStr:
    _web_address(secret.get_secret_value())
    return secret


#: A secret without blanks and quotes, which a header can carry.
_BARE: Final = re.compile(r"[!#-&(-~]+")
#: Id, secret and refresh token.
_APP_PARTS: Final = 3


def bare_token(text: str) -> str:
    """Return a token that a header can carry. Raises ValueError, which does not show the token."""
    if not _BARE.fullmatch(text):
        raise ValueError("must be the token only: remove `Bearer`, quotes, spaces and line breaks")
    return text


def _secret_token(secret: SecretStr) -> SecretStr:
    return SecretStr(bare_token(secret.get_secret_value()))


def _app_credentials(secret: SecretStr) -> SecretStr:
    parts = secret.get_secret_value().split(":")
    if len(parts) != _APP_PARTS or not all(map(_BARE.fullmatch, parts)):
        raise ValueError("must be id:secret:refresh_token of the app, without spaces and quotes")
    return secret


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text} is not an IP address or a network such as 10.0.0.0/8") from None
    return text


def _on_loopback(value: Any) -> Any:
    """Return whether the published address of a port is a loopback address; return any other value unchanged."""
    try:
        return ip_address(value.strip("[]")).is_loopback if isinstance(value, str) else value
    except ValueError:
        return value


def _content_id(text: str) -> str:
    if text not in {"product_id", "variant_id", "sku"} and "{{" not in text:
        raise ValueError(
            f"{text!r} is no id of products: write product_id, variant_id or sku, or a Liquid text of them such as "
            "{{ product_id }}_{{ sku }}"
        )
    return text


def _sample_rate(text: str) -> str:
    if not re.fullmatch(r"all|none|1/[1-9]\d{0,8}", text):
        raise ValueError(f"{text!r} is no share: use all, none, or one in N as 1/N, such as 1/100")
    return text


def _feed_addresses(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for secret in map(_secret_address, secrets):
        if not secret.get_secret_value().lower().startswith("https:"):
            raise ValueError("the address of a feed must begin with https://, such as https://shop.example/feed.xml")
    return secrets


Country = Annotated[str, AfterValidator(_country), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{2}$"})]
Currency = Annotated[str, AfterValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{3}$"})]
FeedAddresses = Annotated[Secrets, AfterValidator(_feed_addresses)]
#: The product id to send. The syntax of a Liquid text is checked when it is compiled.
ContentId = Annotated[str, AfterValidator(_content_id)]
AmountsByCurrency = Annotated[Texts, each_validated(_amount_of)]
UsStates = Annotated[Texts, each_validated(us_state_code)]
WithheldKinds = Annotated[
    tuple[Literal["test_events", "crawlers", "none"], ...], NoDecode, BeforeValidator(split_list), NoneIsAlone
]
OnLoopback = Annotated[bool, BeforeValidator(_on_loopback)]
Networks = Annotated[Texts, each_validated(_network)]
#: A token of Pinterest.
Token = Annotated[SecretStr, AfterValidator(_secret_token)]
#: Id, secret and refresh token of an app at Pinterest, separated by colons.
AppCredentials = Annotated[SecretStr, AfterValidator(_app_credentials)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
SampleRate = Annotated[str, AfterValidator(_sample_rate)]
SecretWebAddress = Annotated[SecretStr, AfterValidator(_secret_address)]


#: A hundred years.
Days = Annotated[float, Field(le=36_500)]
#: A hundred years.
Hours = Annotated[float, Field(le=876_000)]
#: A day: the maximum of waits and time-outs.
Seconds = Annotated[float, Field(le=86_400)]
#: A petabyte.
Bytes = Annotated[int, Field(le=10**15)]
#: More than any machine counts to.
Count = Annotated[int, Field(le=10**9)]
