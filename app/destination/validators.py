"""Tests whether a value is accepted as a part of a field, for choices of a mapping inside of lists, item by item.

Whole fields do not need them: their reader runs once, and runs again with the next candidate if it rejects the first.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from app.config.settings import ConversionSettings
from app.core.values.placeholders import flag_is_given, says_a_text
from app.destination.custom_data import CONTENT_READERS
from app.destination.money import plain_money, read_money
from app.destination.normalise import normalised, normalisers
from app.destination.reading import Reader, TextReader, text_of
from app.destination.user_data import BY_COUNTRY, PIN_UNAUTH, PLAIN_WAYS, cookie_text

_IsUsable: TypeAlias = Callable[[Any], bool]


def _is_cookie(value: Any) -> bool:
    return cookie_text(value) is not None


#: Whole fields that no reader rejects: the test whether they are given. An unreadable flag is an opt-out.
USABLE_AT_ONCE: Mapping[str, _IsUsable] = {
    **dict.fromkeys(("opt_out", "advertiser_tracking_enabled", "gpc", "custom_data.opt_out_type"), flag_is_given),
    PIN_UNAUTH: _is_cookie,
}


def usable_parts() -> Mapping[str, _IsUsable]:
    """Return the tests whether a value can be sent as a part of a field.

    They are listed by dotted field (`custom_data.contents.id`).
    """
    contents = {f"custom_data.contents.{name}": _taken_by(reader) for name, reader in CONTENT_READERS.items()}
    contents["custom_data.contents.item_price"] = _is_money
    plain = {f"user_data.{name}": says_a_text for name in PLAIN_WAYS}
    return contents | plain | {"custom_data.content_ids": says_a_text} | _hashed()


def _hashed() -> dict[str, _IsUsable]:
    """Accept any text for a field that depends on the country of the event, which is unknown for a single item."""
    return {
        f"user_data.{name}": says_a_text if name in BY_COUNTRY else partial(_is_normalised, normalise)
        for name, normalise in normalisers(ConversionSettings.model_construct()).items()
    }


def _is_normalised(normalise: Any, value: Any) -> bool:
    text = text_of(value)
    return text is not None and normalised(text, None, normalise)[0] is not None


def _is_money(value: Any) -> bool:
    return plain_money(value) is not None or read_money(value).text is not None


def _taken_by(reader: Reader) -> _IsUsable:
    return says_a_text if isinstance(reader, TextReader) else lambda value: reader(value)[0] is not None
