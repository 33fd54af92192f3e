"""What the readers take as one part of a field: for choices that a mapping makes inside of lists, item by item.

Whole fields need none of this: their reader is asked once, and for the next candidate where it refuses the first.
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


#: Of whole fields that no reader refuses: what counts as given. A flag is read as a no where it cannot be read.
USABLE_AT_ONCE: Mapping[str, _IsUsable] = {
    **dict.fromkeys(("opt_out", "advertiser_tracking_enabled", "gpc", "custom_data.opt_out_type"), flag_is_given),
    PIN_UNAUTH: _is_cookie,
}


def usable_parts() -> Mapping[str, _IsUsable]:
    """Return by dotted field (`custom_data.contents.id`) whether a value can be sent as one part of it."""
    contents = {f"custom_data.contents.{name}": _taken_by(reader) for name, reader in CONTENT_READERS.items()}
    contents["custom_data.contents.item_price"] = _is_money
    plain = {f"user_data.{name}": says_a_text for name in PLAIN_WAYS}
    return contents | plain | {"custom_data.content_ids": says_a_text} | _hashed()


def _hashed() -> dict[str, _IsUsable]:
    """Take any text for a field that is read by the country of the event, which a single item does not know."""
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
