"""Data about the person in an event, independent of presets: digests, and whether they may be used."""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from app.config.settings import ConversionSettings
from app.core.values.candidates import places_in
from app.destination.normalise import external_id_normaliser, hashed, normalise_email, normalised, phone_normaliser
from app.destination.person_sections import blocks_of, countries_of
from app.destination.privacy_flags import LDP, OptOuts, StateOf, read_opt_out, read_opt_out_type, read_permission
from app.destination.user_data import UserDataReader


class PersonFacts(Struct, frozen=True, kw_only=True):
    """The data about the person in an event."""

    #: As it would be sent: digests, the click id, address and user agent.
    user_data: dict[str, Any]
    #: The event has `opt_out` or Limited Data Processing, by any rule.
    is_opted_out: bool


class PersonReader:
    """Reads the person from the resolved fields of events, under a set of rules."""

    def __init__(self, rules: ConversionSettings, state_of: StateOf | None = None) -> None:
        self._read_user_data = UserDataReader(rules)
        self._opt_outs = OptOuts(rules, state_of)
        self.heeds_gpc = rules.gpc != "ignore"

    def __call__(self, fields: Mapping[str, Any]) -> PersonFacts:
        """Return the person and whether the person opted out; unreadable values are omitted."""
        candidates = places_in(fields).candidates
        given = fields.get("user_data") or {}
        blocks = blocks_of(fields.get("person_blocks"))
        user_data, _ = self._read_user_data(given, candidates, blocks)
        event = {"user_data": user_data or {}, "custom_data": {}}
        flags, _ = read_opt_out_type((fields.get("custom_data") or {}).get("opt_out_type"))
        if flags:
            event["custom_data"]["opt_out_type"] = flags
        states = self._read_user_data.states(given, blocks, event["user_data"]) if self._opt_outs.asks_states else []
        found = dict(event["user_data"])  # without the additions for LDP
        self._opt_outs.apply(event, fields.get("gpc"), states, countries_of(given, blocks))
        is_ldp = LDP in event["custom_data"].get("opt_out_type", "").split(",")
        is_opted_out = is_ldp or event.get("opt_out") is True or self.permission(fields) is False
        return PersonFacts(user_data=found, is_opted_out=is_opted_out)

    def permission(self, fields: Mapping[str, Any]) -> bool | None:
        """Return whether the person opted in (True) or out (False) of tracking; `None` if unknown.

        The sources are the flags of the event, the permission of a device, and Global Privacy Control if it is enabled.
        An opt-out in any of them wins; an unreadable value is an opt-out.
        """
        answers = [
            _opposite(read_opt_out(fields.get("opt_out"))[0]),
            read_permission(fields.get("advertiser_tracking_enabled"))[0],
        ]
        if self.heeds_gpc and read_opt_out(fields.get("gpc"))[0] is True:
            answers.append(False)
        if False in answers:
            return False
        return True if True in answers else None

    def permits_device(self, fields: Mapping[str, Any]) -> bool:
        """Return whether the device has the permission that is required to send its advertising id."""
        return read_permission(fields.get("advertiser_tracking_enabled"))[0] is True


def _opposite(flag: bool | None) -> bool | None:  # noqa: FBT001 - the value itself
    return None if flag is None else not flag


def carries_opt_out(event: Mapping[str, Any]) -> bool:
    """Return whether a finished event carries `opt_out` or Limited Data Processing."""
    flags = event["custom_data"].get("opt_out_type") if "custom_data" in event else None
    return event.get("opt_out") is True or (flags is not None and LDP in flags.split(","))


#: The characters of a phone number, and the minimum number of digits.
_PHONE: Final = re.compile(r"\+?[\d\s()./-]+")
_MIN_DIGITS: Final = 7
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII | re.IGNORECASE)


class TypedPerson:
    """Reads typed contacts under a set of rules, with the same digest as in events of the person."""

    def __init__(self, rules: ConversionSettings) -> None:
        self._phone = phone_normaliser(rules.default_country)

    def __call__(self, text: str) -> str | None:
        """Return the digest of an e-mail address or a phone number, or a digest unchanged; otherwise `None`.

        A phone number without a country is completed by DEFAULT_COUNTRY; without that setting its digits are hashed.
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

    def of_id(self, text: str) -> list[str]:
        """Return the digests of an id as `external_id`: two, because EXTERNAL_ID_KEEP_CASE may have changed."""
        forms = [normalised(text, None, external_id_normaliser(keep_case=keep_case))[0] for keep_case in (False, True)]
        return sorted({hashed(form) for form in forms if form})
