"""The objects `app_info` and `device_info`, with the bounds of Pinterest's schema, and the language."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import pycountry

from app.core.values.placeholders import unwrap_single
from app.destination.members import MembersReader
from app.destination.money import IntegerReader
from app.destination.reading import NO_NOTES, ChoiceReader, Reading, flattened, text_of
from app.destination.redaction import FreeTextReader
from app.destination.required_fields import read_install_time
from app.destination.warnings import kind, left_out

_PIXELS = IntegerReader(0, 30_720)
_GIGABYTES = IntegerReader(0, 1_048_576)
_MAX_LANGUAGES = 100
#: Longer values are not cached.
MAX_LOCALE = 35

read_app_info = MembersReader(
    {
        "app_id": FreeTextReader(200),
        "app_name": FreeTextReader(200),
        "app_package_name": FreeTextReader(200),
        "app_store": FreeTextReader(100),
        "app_version": FreeTextReader(100),
        "install_time": read_install_time,
        "user_agent": FreeTextReader(16_384),
        "window_height": _PIXELS,
        "window_width": _PIXELS,
    },
    at=("app_info",),
)


#: Names of SDKs in the place of the app's name (RudderStack's for browsers, 3.34, run in Chromium).
_SDK_NAMES = frozenset({"rudderlabs javascript sdk"})
_OF_THE_APP = ("app_info", "app_id", "app_name", "app_version")


def take_sdk_out(event: dict[str, Any]) -> list[str]:
    """Remove the app's name, version and id if they belong to a site's SDK and not to an app; return the warnings."""
    names = {event.get("app_name"), event.get("app_info", {}).get("app_name")} - {None}
    if all(name.lower() not in _SDK_NAMES for name in names):
        return []
    left = [name for name in _OF_THE_APP if event.pop(name, None) is not None]
    return [f"{name}: left out, it is an SDK's own and no app's" for name in left]


@cache
def _languages() -> frozenset[str]:
    """Return all two-letter codes of languages in ISO 639-1."""
    return frozenset(language.alpha_2 for language in pycountry.languages if hasattr(language, "alpha_2"))


def _language_code(value: Any) -> str | None:
    """Return the two letters of `en`, `EN`, `en-US` or `en_US`; `None` if the value is not a language."""
    text = text_of(value) or ""
    code = text.strip().replace("_", "-").partition("-")[0].lower()
    return code if code in _languages() else None


def read_language(value: Any) -> Reading:
    """Read a language or locale as ISO 639-1, with a note if the sent text differs (see `without_whole_locale`)."""
    return read_locale(value) if type(value) is str and len(value) <= MAX_LOCALE else _read_afresh(value)


def _read_afresh(value: Any) -> Reading:
    given = unwrap_single(value)
    code = _language_code(given)
    if code is None:
        return None, (left_out(value, "it is no ISO 639-1 language"),)
    return code, NO_NOTES if code == given else (f': {kind(value)} sent as "{code}"',)


read_locale = lru_cache(maxsize=1_024)(_read_afresh)


def without_whole_locale(notes: Sequence[str], given: Any, optional: dict[str, Any] | None) -> Sequence[str]:
    """Remove the note that `en-US` became `en` if the whole locale is also sent, which is the default."""
    is_whole = optional and "language" in optional and optional.get("device_info", {}).get("locale") == given
    return [note for note in notes if not note.startswith(".language: ")] if is_whole else notes


def _read_languages(value: Any) -> Reading:
    """Read a list of languages, of which Pinterest accepts 100."""
    codes: list[str] = []
    notes: list[str] = []
    for item in flattened(value):
        code = _language_code(item)
        if code is None:
            notes.append(left_out(item, "it is no ISO 639-1 language"))
        elif code != item:
            notes.append(f': a language sent as "{code}"')
        if code is not None:
            codes.append(code)
    if len(codes) > _MAX_LANGUAGES:
        notes.append(f": {len(codes)} languages cut to {_MAX_LANGUAGES}")
    return codes[:_MAX_LANGUAGES] or None, tuple(notes)


read_device_info = MembersReader(
    {
        "battery_level": IntegerReader(0, 100),
        "brand": FreeTextReader(100),
        "carrier": FreeTextReader(100),
        "cpu_cores": IntegerReader(0, 1152),
        "external_storage_free_space": _GIGABYTES,
        "external_storage_size": _GIGABYTES,
        "form_factor": ChoiceReader(
            "desktop", "laptop", "cellphone", "tablet", "smartwatch", "tv", "vr", "console", "other"
        ),
        "kernel_version": FreeTextReader(100),
        "languages": _read_languages,
        "locale": FreeTextReader(35),
        "model": FreeTextReader(100),
        "network_type": ChoiceReader(
            "wifi",
            "cellular_2g",
            "cellular_3g",
            "cellular_4g",
            "cellular_5g",
            "cellular_6g",
            "ethernet",
            "unknown",
            also={f"{n}g": f"cellular_{n}g" for n in range(2, 7)},
        ),
        "os_family": ChoiceReader("ios", "android", "macos", "windows", "linux", "bsd", "other"),
        "os_name": FreeTextReader(100),
        "os_release_name": FreeTextReader(100),
        "os_version": FreeTextReader(100),
        "screen_density": IntegerReader(0, 100_000),
        "screen_height": _PIXELS,
        "screen_width": _PIXELS,
        "storage_free_space": _GIGABYTES,
        "storage_size": _GIGABYTES,
        "timezone": FreeTextReader(40),
        "timezone_abbr": FreeTextReader(5),
        "type": FreeTextReader(100),
    },
    at=("device_info",),
)
