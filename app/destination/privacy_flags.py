"""Privacy flags, read so that an opt-out is never lost.

Several values come from several places of the event: a single opt-out among them wins. Only null, empty and blank texts
count as missing; other unreadable values are opt-outs.
"""

import re
from collections.abc import Callable, Collection, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

from app.config.settings import ConversionSettings
from app.core.values.placeholders import flag_texts, read_flag, unwrap_single
from app.destination.reading import NO_NOTES, Reader, Reading, about_flag, flattened, text_of
from app.destination.warnings import kind, left_out

#: The only flag of privacy laws in Pinterest's API: Limited Data Processing.
LDP = "LDP"
#: Other spellings, without marks and in lower case.
_LDP_WORDS: Final = frozenset({"ldp", "limiteddataprocessing"})
_MARKS = re.compile(r"[\W_]+")
#: The form of a flag; other texts may be a person's words.
_FLAG = re.compile(r"(?!(?:\D*\d){7})(?!\d+$)\w[\w.-]{0,39}", re.ASCII)
_SEPARATORS = re.compile(r"[,;\s]+")
#: IAB's US Privacy String, version 1: the third letter is the opt-out.
#: https://github.com/InteractiveAdvertisingBureau/USPrivacy
_US_PRIVACY = re.compile(r"\s*1[YN-](?P<opted_out>[YN-])[YN-]\s*", re.IGNORECASE)
#: Words that are no flag of a privacy law: placeholders, yes or no, and words for an opt-out.
_NO_FLAG = re.compile(
    r"(?<![^,;\s])(?:null|undefined|none|nan|n/a|\(not set\)|true|yes|1|on|off|[ynt]|opt(?:ed)?[\s_-]?(?:in|out)|denied"
    r"|refused|rejected|restricted|limited|unknown|enabled|disabled|all)(?![^,;\s])",
    re.IGNORECASE,
)


def privacy_flag_reader(no: bool) -> Reader:  # noqa: FBT001 - it is the value that is sent, not a switch
    """Return a reader of a privacy flag; the value `no` (true for an opt-out, false for a permission) wins."""

    def read(value: Any) -> Reading:
        if type(value) is list and len(value) == 1 and type(value[0]) is bool:  # nearly every flag
            return value[0], NO_NOTES
        given = flag_texts(value)
        flags = set(map(read_flag, given))
        if None in flags:
            return no, (f": {kind(unwrap_single(value))} cannot be read, {str(no).lower()} is sent to be careful",)
        if not flags:
            is_blank = next(flattened(value), None) is not None
            return None, (left_out(unwrap_single(value), "it is blank"),) if is_blank else NO_NOTES
        if len(flags) > 1:
            return no, (
                f": {str(no).lower()} is sent, since the event says so in one place and the contrary in another",
            )
        flag = flags.pop()
        return flag, about_flag(given[0], flag is True)

    return read


#: true: opted out.
read_opt_out = privacy_flag_reader(True)  # noqa: FBT003 - the value itself
#: false: no permission.
read_permission = privacy_flag_reader(False)  # noqa: FBT003 - the value itself


def read_opt_out_type(value: Any) -> Reading:
    """Read flags of privacy laws from all places, and join them with commas; LDP is recognised in any spelling.

    A plain no (false, 0, "no") means no opt-out. Every other value adds LDP, the only flag of Pinterest, whether the
    value is a flag or not.
    """
    flags: dict[str, None] = {}
    unreadable = False
    for item in flag_texts(value):
        if read_flag(item) is not False:
            found, is_readable = _flags_of(text_of(item) or "")
            flags |= dict.fromkeys(found)
            unreadable = unreadable or not is_readable
    if unreadable or (flags and LDP not in flags):
        flags.setdefault(LDP)
        return ",".join(flags), (
            f": {kind(unwrap_single(value))} holds what is no flag that Pinterest knows, LDP is sent to be careful",
        )
    if not flags:
        return None, NO_NOTES
    read = ",".join(flags)
    return read, NO_NOTES if read == unwrap_single(value) else (
        f": {kind(unwrap_single(value))} read as flags of privacy laws",
    )


def _flags_of(text: str) -> tuple[list[str], bool]:
    """Return the flags in a text, and whether the text contains only flags."""
    if privacy := _US_PRIVACY.fullmatch(text):
        return ([LDP] if privacy["opted_out"] in "Yy" else []), True
    if _MARKS.sub("", text).lower() in _LDP_WORDS:
        return [LDP], True
    readable = _NO_FLAG.sub("", text)
    words = [word for word in _SEPARATORS.split(readable) if word]
    found = [LDP if _MARKS.sub("", word).lower() in _LDP_WORDS else word for word in words if _FLAG.fullmatch(word)]
    return found, readable == text and len(found) == len(words) and bool(found)


_US = "US"
#: Returns the code of the US state of an address; `None` if the address is elsewhere or unknown.
StateOf: TypeAlias = Callable[[str], str | None]


class KnownState(NamedTuple):
    """A state at a place of the event."""

    #: SHA-256 of the code; `None` if the value is no state.
    digest: str | None
    #: The country at the same place, alpha-2, upper case; `None` if unknown.
    country: str | None


class OptOuts:
    """Applies the rules about opt-outs to finished events."""

    def __init__(self, rules: ConversionSettings, state_of: StateOf | None = None) -> None:
        """Store the rules, and the look-up of states by address if a database is configured."""
        self._state_of = state_of
        self._gpc = rules.gpc
        self._default_country = rules.default_country and rules.default_country.upper()
        self._listed = frozenset(map(_digest, rules.ldp_states))
        #: Without listed states no state is looked up.
        self.asks_states = bool(rules.ldp_states)

    def apply(
        self, event: dict[str, Any], gpc: Any, states: Sequence[KnownState], countries: Collection[str]
    ) -> list[str]:
        """Set `opt_out` and LDP in an event with `user_data` and `custom_data`, in place; return the warnings.

        `gpc` is the event's value of Global Privacy Control; `states` and `countries` (alpha-2) are all in the event.
        """
        warnings: list[str] = []
        signalled = self._gpc != "ignore" and gpc is not None and read_opt_out(gpc)[0] is True
        if signalled and self._gpc == "opt_out":
            event["opt_out"] = True
            warnings.append("opt_out: true is sent, the person's browser says no by Global Privacy Control")
        custom_data = event["custom_data"]
        flags = list(filter(None, custom_data.get("opt_out_type", "").split(",")))
        listed = [state.digest for state in states if state.digest in self._listed and state.country in (None, _US)]
        by_address = not states and self._digest_of_address(event["user_data"], countries)
        if by_address in self._listed:
            listed.append(by_address)
            warnings.append("LDP is sent, the address is in a state of LDP_STATES by GEOIP_DB")
        if LDP not in flags and (listed or (signalled and self._gpc == "ldp")):
            flags.append(LDP)
            custom_data["opt_out_type"] = ",".join(flags)
        reasons = self._unheeded(event["user_data"], listed, warnings) if LDP in flags else []
        if self._listed and any(state.digest is None and state.country in (None, _US) for state in states):
            reasons.append("the event names a state that cannot be read")
        if reasons:
            event["opt_out"] = True
            warnings.append(f"opt_out: true is sent, since {' and '.join(reasons)}")
        if self._listed and not states and not by_address and self._is_of_us(countries):
            warnings.append("LDP_STATES: the event names no state of a person in the USA, so LDP is not set by it")
        return warnings

    def _unheeded(self, user_data: dict[str, Any], listed: Sequence[str | None], warnings: list[str]) -> list[str]:
        """Add the country that LDP needs; return why Pinterest would still ignore LDP."""
        reasons = []
        states = user_data.get("st", ())
        if "country" not in user_data and self._default_country:
            user_data["country"] = [_digest(self._default_country)]
            warnings.append("user_data.country: DEFAULT_COUNTRY is sent, LDP needs a country")
        missing = [name for name, wire in (("state", "st"), ("country", "country")) if wire not in user_data]
        if missing:
            reasons.append(f"LDP will be ignored by Pinterest, user_data lacks {' and '.join(missing)}")
        elif listed and (set(listed).isdisjoint(states) or _digest(_US) not in user_data["country"]):
            reasons.append("LDP holds by a state that is not the one that is sent")
        return reasons

    def _digest_of_address(self, user_data: dict[str, Any], countries: Collection[str]) -> str | None:
        """Return the digest of the address's state; `None` if the countries in the event contradict it."""
        address = user_data.get("client_ip_address")
        if self._state_of is None or not self._listed or address is None or (countries and _US not in countries):
            return None
        state = self._state_of(address)
        return state and _digest(state)

    def _is_of_us(self, countries: Collection[str]) -> bool:
        return _US in countries if countries else self._default_country == _US


def _digest(code: str) -> str:
    """Return the SHA-256 of the code of a state or country, as it is sent."""
    return sha256(code.lower().encode()).hexdigest()
