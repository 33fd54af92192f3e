"""What an event says of its person, whichever preset takes it: digests, and whether they may be used."""

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
    """What one event says of its person."""

    #: As it would be sent: digests, the click id, address and user agent.
    user_data: dict[str, Any]
    #: The event carries `opt_out` or Limited Data Processing, by whatever rule.
    is_opted_out: bool


class PersonReader:
    """Reads the person out of the resolved fields of one event after the other, under one set of rules."""

    def __init__(self, rules: ConversionSettings, state_of: StateOf | None = None) -> None:
        self._read_user_data = UserDataReader(rules)
        self._opt_outs = OptOuts(rules, state_of)
        self.heeds_gpc = rules.gpc != "ignore"

    def __call__(self, fields: Mapping[str, Any]) -> PersonFacts:
        """Return who it is and whether opted out; of what cannot be read there is nothing."""
        candidates = places_in(fields).candidates
        given = fields.get("user_data") or {}
        blocks = blocks_of(fields.get("person_blocks"))
        user_data, _ = self._read_user_data(given, candidates, blocks)
        event = {"user_data": user_data or {}, "custom_data": {}}
        flags, _ = read_opt_out_type((fields.get("custom_data") or {}).get("opt_out_type"))
        if flags:
            event["custom_data"]["opt_out_type"] = flags
        states = self._read_user_data.states(given, blocks, event["user_data"]) if self._opt_outs.asks_states else []
        found = dict(event["user_data"])  # without what is added for the sake of LDP
        self._opt_outs.apply(event, fields.get("gpc"), states, countries_of(given, blocks))
        is_ldp = LDP in event["custom_data"].get("opt_out_type", "").split(",")
        is_opted_out = is_ldp or event.get("opt_out") is True or self.permission(fields) is False
        return PersonFacts(user_data=found, is_opted_out=is_opted_out)

    def permission(self, fields: Mapping[str, Any]) -> bool | None:
        """Return whether the person said yes (True) or no (False) to being tracked; None where nothing is said.

        Said in the flags of the event, by the permission of a device, or by Global Privacy Control where it is heeded.
        A no in any of them wins; what cannot be read is a no.
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
        """Return whether the device says the permission that sending its advertising id needs."""
        return read_permission(fields.get("advertiser_tracking_enabled"))[0] is True


def _opposite(flag: bool | None) -> bool | None:  # noqa: FBT001 - the value itself
    return None if flag is None else not flag


def carries_opt_out(event: Mapping[str, Any]) -> bool:
    """Return whether a finished event carries `opt_out` or Limited Data Processing."""
    flags = event["custom_data"].get("opt_out_type") if "custom_data" in event else None
    return event.get("opt_out") is True or (flags is not None and LDP in flags.split(","))


#: What a phone number is written with, and with how many digits at least.
_PHONE: Final = re.compile(r"\+?[\d\s()./-]+")
_MIN_DIGITS: Final = 7
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII | re.IGNORECASE)


class TypedPerson:
    """Reads what is typed, under one set of rules: the digest is the one that events of the person carry."""

    def __init__(self, rules: ConversionSettings) -> None:
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

    def of_id(self, text: str) -> list[str]:
        """Return the digests of an id as `external_id`: two, since EXTERNAL_ID_KEEP_CASE may have changed."""
        forms = [normalised(text, None, external_id_normaliser(keep_case=keep_case))[0] for keep_case in (False, True)]
        return sorted({hashed(form) for form in forms if form})
