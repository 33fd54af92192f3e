"""Look up countries and states by any name in use, and return their ISO 3166 codes."""

import gettext
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pycountry

from app.destination.place_aliases import COUNTRIES, STATES

#: Maximum size of the cache, in characters: more than all languages in pycountry's catalogues have.
_MAX_REMEMBERED = 10_000
_ISO_3166_2 = re.compile(r"[A-Za-z]{2}-[A-Za-z0-9]{1,3}", re.ASCII)


@lru_cache(maxsize=4096)
def country_code(name: str) -> str | None:
    """Return the upper-case alpha-2 code of a country; `None` if the name is unknown or ambiguous.

    Accepts codes of two and three letters, the SHA-256 of a code, the names of ISO 3166, names in use, and the names in
    all languages of pycountry's catalogues.
    """
    key = _key(name)
    english = _english_names()
    return _codes().get(key) or english.get(key) or english.get(key.removeprefix("the")) or _translated_names().get(key)


@lru_cache(maxsize=4096)
def state_code(name: str, country: str | None) -> str | None:
    """Return the part of an ISO 3166-2 code after the hyphen, upper case; `None` if there is no such state.

    `US-CA` includes its country; other texts are looked up in `country` (alpha-2; `None`: US).
    """
    text = name.strip()
    if _ISO_3166_2.fullmatch(text):
        where, _, code = text.upper().partition("-")
        return code if code in _state_codes(where) else None
    where = country or "US"
    code = _key(text).upper()
    codes = (each for each in (code, code.removeprefix(where)) if each in _state_codes(where))  # WooCommerce's JP13
    return next(codes, None) or _state_names(where).get(_key(text))


def country_in_state(text: str | None) -> str | None:
    """Return the country in the code of a state: `US-CA` is in the US, regardless of other fields."""
    return text.strip()[:2].upper() if text and _ISO_3166_2.fullmatch(text.strip()) else None


def is_state_of_account(text: str | None) -> bool:
    """Return whether a text is Shopify's `state` of a customer account, which is not a place."""
    return text is not None and text.strip().lower() in {"disabled", "invited", "enabled", "declined"}


def load_place_names() -> None:
    """Load all names in advance, so that no event waits for them. Called by servers at the start."""
    country_code("a name that no country bears")
    state_code("a name that no state bears", None)


def _key(name: str) -> str:
    """Return the form of a name for comparison: without case, accents, blanks and punctuation; `&` is `and`."""
    return unicodedata.normalize("NFKD", name.replace("&", " and ").casefold()).translate(_COMPARED)


class _Compared(dict[int, int | None]):
    """A cache for `str.translate`: whether each character is compared."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        is_mark = unicodedata.category(character)[0] == "M" and not "\u0300" <= character <= "\u036f"
        kept = code if is_mark or character.isalnum() else None
        if len(self) < _MAX_REMEMBERED:
            self[code] = kept
        return kept


_COMPARED = _Compared()


@cache
def _codes() -> dict[str, str]:
    """Map alpha-2, alpha-3 and the digest of the lower-case alpha-2 to alpha-2."""
    codes = {}
    for country in pycountry.countries:
        for key in (
            country.alpha_2.lower(),
            country.alpha_3.lower(),
            sha256(country.alpha_2.lower().encode()).hexdigest(),
        ):
            codes[key] = country.alpha_2
    return codes


@cache
def _english_names() -> dict[str, str]:
    """Map the keys of ISO's names and of the names in use to alpha-2."""
    names = defaultdict(set)
    for country in pycountry.countries:
        for name in _names_of(country):
            for spelling in _spellings(name):
                names[_key(spelling)].add(country.alpha_2)
    return _borne_by_one(names) | _keys_to_codes(COUNTRIES)


@cache
def _translated_names() -> dict[str, str]:
    """Map the keys of all names in other languages to alpha-2 (47,000 names, in 0.15 s: see `load_place_names`)."""
    code_of = {name: country.alpha_2 for country in pycountry.countries for name in _names_of(country)}
    translated: set[tuple[str, str]] = set()  # half of them are the same in several languages
    for path in Path(pycountry.LOCALES_DIR).glob("*/LC_MESSAGES/iso3166-1.mo"):
        with path.open("rb") as file:
            catalogue = gettext.GNUTranslations(file)
        translated.update((catalogue.gettext(name), code) for name, code in code_of.items())
    names = defaultdict(set)
    for name, code in translated:
        names[_key(name)].add(code)
    return _borne_by_one(names)


def _keys_to_codes(names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Invert a table of names in use."""
    return {_key(name): code for code, spellings in names.items() for name in spellings}


def _names_of(country: object) -> Iterator[str]:
    """Yield ISO's names of a country."""
    for attribute in ("name", "official_name", "common_name"):
        name = getattr(country, attribute, None)
        if name:
            yield name


def _spellings(name: str) -> Iterator[str]:
    """Yield `Iran, Islamic Republic of` also as `Iran` and `Islamic Republic of Iran`; `Saint` also as `St`."""
    first, _, rest = name.partition(", ")
    for spelling in (name, first, f"{rest} {first}"):
        yield spelling
        yield spelling.removeprefix("The ")
        yield spelling.replace("Saint ", "St ")


def _turned(name: str) -> tuple[str, str]:
    """Return `Virgin Islands, U.S.` also as `U.S. Virgin Islands`; any other name twice."""
    first, _, rest = name.partition(", ")
    return name, f"{rest} {first}"


def _borne_by_one(names: dict[str, set[str]]) -> dict[str, str]:
    """Return the names with exactly one code."""
    return {key: next(iter(codes)) for key, codes in names.items() if len(codes) == 1}


def _states_of(country: str) -> list[Any]:
    """Return the subdivisions of a country; none for an unknown code."""
    return list(pycountry.subdivisions.get(country_code=country) or ())  # type: ignore[no-untyped-call]  # its gap


@lru_cache(maxsize=256)
def _state_codes(country: str) -> frozenset[str]:
    """Return the codes of a country's subdivisions, without the country."""
    return frozenset(state.code.partition("-")[2] for state in _states_of(country))


@lru_cache(maxsize=256)
def _state_names(country: str) -> dict[str, str]:
    """Map the keys of a country's subdivisions to their codes; the upper level wins for equal names."""
    names: dict[str, str] = {}
    states = sorted(_states_of(country), key=lambda state: (state.parent_code is not None, state.code))
    for split in (False, True):
        for state in states:
            for part in re.split(r"[\[\]/,(]", state.name) if split else _turned(state.name):
                names.setdefault(_key(part), state.code.partition("-")[2])
    return names | _keys_to_codes(STATES.get(country, {}))
