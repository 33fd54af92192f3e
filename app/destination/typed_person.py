"""A person as somebody types one: an e-mail address or a phone number, known from now on by its digest only."""

import re
from typing import Final

from app.destination.conversion_rules import ConversionRules
from app.destination.normalise import hashed, normalise_email, normalised, phone_normaliser

#: What a phone number is written with, and with how many digits at least.
_PHONE: Final = re.compile(r"\+?[\d\s()./-]+")
_MIN_DIGITS: Final = 7
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII | re.IGNORECASE)


class TypedPerson:
    """Reads what is typed, under one set of rules: the digest is the one that events of the person carry."""

    def __init__(self, rules: ConversionRules) -> None:
        self._phone = phone_normaliser(rules.default_country)

    def __call__(self, text: str) -> str | None:
        """Return the digest of an e-mail address or a phone number, or a digest as it is; None where it is neither.

        A phone number without its country is one of DEFAULT_COUNTRY, and without that its digits.
        """
        text = text.strip()
        if _SHA256.fullmatch(text):
            return text.lower()
        if "@" in text:
            form, _ = normalised(text, None, normalise_email)
        elif _PHONE.fullmatch(text) and sum(map(str.isdigit, text)) >= _MIN_DIGITS:
            form, _ = normalised(text, None, self._phone)
        else:
            return None
        return form and hashed(form)
