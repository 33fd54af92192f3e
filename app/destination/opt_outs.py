"""What a person said no to, and what is sent for it: `opt_out`, and the LDP of `opt_out_type`.

Pinterest heeds LDP (Limited Data Processing) only where `st` and `country` are sent too. Where they cannot be, or where
the state that asks for it is not the one that is sent, `opt_out` is sent as well: it is the stricter of the two.
Source: https://developers.pinterest.com/docs/track-conversions/use-limited-data-processing-flag/
"""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from app.destination.conversion_rules import ConversionRules
from app.destination.privacy_flags import LDP, read_opt_out

_US = "US"


class KnownState(NamedTuple):
    """A state that the event names in one place."""

    #: SHA-256 of its code; None where what stands there is no state.
    digest: str | None
    #: Alpha-2, upper case, of the country beside it; None where none is known.
    country: str | None


class OptOuts:
    """Applies the rules about opting out to one finished event after the other."""

    def __init__(self, rules: ConversionRules) -> None:
        self._gpc = rules.gpc
        self._default_country = rules.default_country and rules.default_country.upper()
        self._listed = frozenset(map(_digest, rules.ldp_states))
        #: Nothing is asked about states where none is listed.
        self.asks_states = bool(rules.ldp_states)

    def apply(
        self, event: dict[str, Any], gpc: Any, states: Sequence[KnownState], countries: Collection[str]
    ) -> list[str]:
        """Set `opt_out` and LDP in an event that has `user_data` and `custom_data`, in place; return the warnings.

        `gpc` is what the event says of Global Privacy Control; `states` are all that it names, `countries` (alpha-2)
        all that it names.
        """
        warnings: list[str] = []
        signalled = self._gpc != "ignore" and gpc is not None and read_opt_out(gpc)[0] is True
        if signalled and self._gpc == "opt_out":
            event["opt_out"] = True
            warnings.append("opt_out: true is sent, the person's browser says no by Global Privacy Control")
        custom_data = event["custom_data"]
        flags = list(filter(None, custom_data.get("opt_out_type", "").split(",")))
        listed = [state.digest for state in states if state.digest in self._listed and state.country in (None, _US)]
        if LDP not in flags and (listed or (signalled and self._gpc == "ldp")):
            flags.append(LDP)
            custom_data["opt_out_type"] = ",".join(flags)
        reasons = self._unheeded(event["user_data"], listed, warnings) if LDP in flags else []
        if self._listed and any(state.digest is None and state.country in (None, _US) for state in states):
            reasons.append("the event names a state that cannot be read")
        if reasons:
            event["opt_out"] = True
            warnings.append(f"opt_out: true is sent, since {' and '.join(reasons)}")
        if self._listed and not states and self._is_of_us(countries):
            warnings.append("LDP_STATES: the event names no state of a person in the USA, so LDP is not set by it")
        return warnings

    def _unheeded(self, user_data: dict[str, Any], listed: Sequence[str | None], warnings: list[str]) -> list[str]:
        """Complete the country that LDP needs; return why Pinterest would not heed LDP all the same."""
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

    def _is_of_us(self, countries: Collection[str]) -> bool:
        return _US in countries if countries else self._default_country == _US


def _digest(code: str) -> str:
    """Return the SHA-256 of the code of a state or country, as it is sent."""
    return sha256(code.lower().encode()).hexdigest()
