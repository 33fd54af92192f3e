"""Texts of settings of which it is known what they may be: countries, currencies, states, addresses."""

from typing import Annotated, Final
from urllib.parse import urlsplit

import pycountry
from pydantic import AfterValidator, SecretStr, WithJsonSchema

from app.config.environment import Texts, each
from app.values.currencies import currencies
from app.values.us_states import us_state_code

#: Without a code of ISO 3166, and with phone numbers: Kosovo.
_IN_USE: Final = "XK"


def _country(text: str) -> str:
    code = text.upper()
    if code != _IN_USE and pycountry.countries.get(alpha_2=code) is None:
        raise ValueError(f"{text!r} is no country of ISO 3166: write its two letters, such as US, GB or DE")
    return code


def _currency(text: str) -> str:
    code = text.upper()
    if code not in currencies():
        raise ValueError(f"{text!r} is no currency of ISO 4217: write its three letters, such as USD, GBP or EUR")
    return code


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address between them, a port that is none
        is_one = False
    if not is_one or any(map(str.isspace, text)):
        raise ValueError("it is no address: write it whole, such as https://example.com/path")
    return text


def _secret_address(secret: SecretStr) -> SecretStr:
    _web_address(secret.get_secret_value())
    return secret


Country = Annotated[str, AfterValidator(_country), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{2}$"})]
Currency = Annotated[str, AfterValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{3}$"})]
UsStates = Annotated[Texts, each(us_state_code)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
SecretWebAddress = Annotated[SecretStr, AfterValidator(_secret_address)]
