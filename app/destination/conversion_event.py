"""Fields of the action in, one Pinterest ConversionEvent out."""

from collections.abc import Callable
from itertools import chain
from typing import Any, TypeAlias

from app.core.values.candidates import Fields, Resolvable, one_place_only
from app.core.values.event_names import EVENT_NAMES
from app.core.values.texts import count_of
from app.destination.app_and_device import (
    read_app_info,
    read_device_info,
    read_language,
    take_sdk_out,
    without_whole_locale,
)
from app.destination.custom_data import CustomDataReader
from app.destination.members import MembersReader
from app.destination.money import is_refund, read_currency
from app.destination.person_sections import blocks_of, countries_of, phones_beside
from app.destination.privacy_flags import OptOuts, read_opt_out, read_permission
from app.destination.reading import Reader, flattened, read_address, read_boolean
from app.destination.redaction import PersonalData, read_free_text
from app.destination.required_fields import REQUIRED, RequiredReader, settled_time
from app.destination.rules import ConversionRules
from app.destination.straight_line import StraightLine
from app.destination.user_data import UserDataReader, missing_identifiers
from app.destination.warnings import passed_over
from app.errors import EventInvalid

_NEEDS_IDENTIFIER = (
    "user_data needs at least one of em (email), hashed_maids, or client_ip_address together with client_user_agent"
)
_REFUND = "a refund, not a purchase"
#: What a checkout should tell, and what it is good for.
_ASKED = {
    "value": "Pinterest cannot tell what it was worth",
    "currency": "Pinterest takes that of the ad account",
    "order_id": "the same order from another source cannot be known again",
}
#: A report of more says how many more.
_MAX_WARNINGS = 50
#: What the event says of the person and is not sent as it stands.
_READ_LATER = ("person_blocks", "gpc")
#: Adds to a finished `user_data`, in place.
Complete: TypeAlias = Callable[[dict[str, Any]], object]
_AMOUNTS = ("value", "predicted_ltv", "contents")

_OPTIONAL: dict[str, Reader] = {
    "event_source_url": read_address,
    "opt_out": read_opt_out,
    "advertiser_tracking_enabled": read_permission,
    "wifi": read_boolean,
    "language": read_language,
    "partner_name": read_free_text,
    "app_info": read_app_info,
    "device_info": read_device_info,
    "app_id": read_free_text,
    "app_name": read_free_text,
    "app_version": read_free_text,
    "device_brand": read_free_text,
    "device_carrier": read_free_text,
    "device_model": read_free_text,
    "device_type": read_free_text,
    "os_version": read_free_text,
}


class ReportConversionEvent:
    """Builds Pinterest events from the fields of the action, under one set of rules. Called once an event."""

    def __init__(self, rules: ConversionRules, *, action_source: str | None = None) -> None:
        """Take the rules; `action_source` replaces what the mapping says."""
        self._rules = rules
        self._action_source = action_source
        self._read_required = RequiredReader(frozenset(EVENT_NAMES) | rules.custom_event_names)
        self._read_user_data = UserDataReader(rules)
        self._read_custom_data = CustomDataReader(rules)
        optional = _OPTIONAL | {"custom_data": self._read_custom_data}
        self._read = MembersReader(optional, elsewhere=frozenset((*REQUIRED, "user_data", *_READ_LATER)))
        self._straight = StraightLine(
            self._read_required, self._read_user_data, self._read, action_source=action_source
        )
        self._personal_data = PersonalData(rules)
        self._opt_outs = OptOuts(rules)

    def __call__(
        self, fields: dict[str, Any] | Resolvable, *, now: float | None, complete: Complete | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the event and its warnings; EventInvalid where a required thing is missing or cannot be read.

        `fields` are the fields, or who resolves them. `now` is Unix seconds; None switches the rules about age and
        future off. No default is added here. `complete` may add to `user_data` before it is judged whether it
        identifies anybody.
        """
        if isinstance(fields, dict):
            event, warnings = self._from_fields(fields, now, complete)
        elif (read := fields.read_by(self._straight)) is None:
            event, warnings = self._from_fields(fields.fields, now, complete)
        else:
            event, phone, needs_fields = read
            custom_data: dict[str, Any] = event.get("custom_data", {})
            needs_fields = needs_fields or self._opt_outs.asks_states or "opt_out_type" in custom_data
            needs_currency = self._rules.default_currency is not None and "currency" not in custom_data
            given = fields.fields if needs_fields or needs_currency else None
            if given is not None:
                self._refuse_refund(event, given)
            if complete:
                complete(event["user_data"])
            warnings = self._settle_time(event, now)
            self._finish(event, custom_data, phone, given, warnings)
        if len(warnings) > _MAX_WARNINGS:
            warnings[_MAX_WARNINGS:] = [f"and {count_of(len(warnings) - _MAX_WARNINGS, 'warning')} more"]
        return event, warnings

    def _from_fields(
        self, fields: dict[str, Any], now: float | None, complete: Complete | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Build the event from its fields, whatever there is to say about them."""
        if self._action_source is not None:
            fields["action_source"] = self._action_source  # in place: a mapping's result knows more than its members
        event, warnings = self._read_plain(fields, now, complete)
        phones = phones_beside(fields["user_data"].get("phone"), fields.get("person_blocks"))
        self._finish(event, event.get("custom_data", {}), phones, fields, warnings)
        if isinstance(fields, Fields) and fields.passed_over:
            warnings += passed_over(fields.passed_over)
        return event, warnings

    def _read_plain(
        self, fields: dict[str, Any], now: float | None, complete: Complete | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Read all fields, whatever there is to say about them; return the event so far and the warnings."""
        candidates = fields.candidates if isinstance(fields, Fields) else one_place_only
        event, faults, warnings = self._read_required(fields, candidates)
        self._refuse_refund(event, fields)
        blocks = blocks_of(fields.get("person_blocks"))
        event["user_data"], notes = self._read_user_data(fields.get("user_data"), candidates, blocks)
        warnings += [f"user_data{note}" for note in notes]
        if complete:
            event["user_data"] = event["user_data"] or {}
            complete(event["user_data"])
        if missing_identifiers(event["user_data"] or {}):
            faults += [_NEEDS_IDENTIFIER, *warnings]
        if faults:
            raise EventInvalid("; ".join(faults[:_MAX_WARNINGS]))
        warnings += self._settle_time(event, now)
        optional, notes = self._read(fields, candidates)
        told = without_whole_locale(notes, fields.get("language"), optional)
        warnings += [note.removeprefix(".").removeprefix(": ") for note in told]
        return event | (optional or {}), warnings

    def _refuse_refund(self, event: dict[str, Any], fields: dict[str, Any]) -> None:
        """Raise EventInvalid where a checkout gives money back."""
        if event["event_name"] == "checkout" and self._is_refund(fields):
            raise EventInvalid(_REFUND)

    def _is_refund(self, fields: dict[str, Any]) -> bool:
        """Return whether the first readable value of a checkout that somebody wrote is negative."""
        custom_data = fields.get("custom_data")
        given = custom_data if type(custom_data) is dict else {}
        currency, _ = read_currency(given.get("currency"))
        candidates = fields.beside if isinstance(fields, Fields) else one_place_only
        later = (candidate.value for candidate in candidates(("custom_data", "value")))
        return is_refund(chain([given.get("value")], later), self._read_custom_data.context(currency))

    def _settle_time(self, event: dict[str, Any], now: float | None) -> list[str]:
        """Hold the event's time against the clock, where one is given; return the warnings."""
        if now is None:
            return []
        event["event_time"], warnings = settled_time(
            event["event_time"],
            now=now,
            max_age_s=self._rules.max_event_age_s,
            offline=event["action_source"] == "offline",
        )
        return warnings

    def _finish(
        self,
        event: dict[str, Any],
        custom_data: dict[str, Any],
        phone: Any,
        fields: dict[str, Any] | None,
        warnings: list[str],
    ) -> None:
        """Apply the rules that look at more than one field; without `fields` those that need none of them."""
        warnings += self._personal_data.take_out(event, custom_data, phone)
        if fields is not None:
            self._complete_currency(custom_data, fields.get("custom_data"))
            if self._opt_outs.asks_states or "gpc" in fields or "opt_out_type" in custom_data:
                event["custom_data"] = custom_data
                warnings += self._apply_opt_outs(event, fields)
        if event["event_name"] == "checkout":
            warnings += [f"checkout without {name}: {why}" for name, why in _ASKED.items() if name not in custom_data]
        if custom_data:
            event["custom_data"] = custom_data
        else:
            event.pop("custom_data", None)
        if self._rules.partner_name and "partner_name" not in event:
            event["partner_name"] = self._rules.partner_name
        if "app_info" in event or "app_name" in event:
            warnings += take_sdk_out(event)
        if event["action_source"].startswith("app_") and not _app_name(event):
            warnings.append("app_name: missing, Pinterest asks for it with app events")

    def _complete_currency(self, custom_data: dict[str, Any], given: Any) -> None:
        """Add the default currency to amounts of which the event does not name any."""
        default = self._rules.default_currency
        if default is None or "currency" in custom_data or not any(key in custom_data for key in _AMOUNTS):
            return
        if next(flattened(given.get("currency")), None) is None:
            custom_data["currency"] = default.upper()

    def _apply_opt_outs(self, event: dict[str, Any], fields: dict[str, Any]) -> list[str]:
        """Send the no that the person said in whatever place; return the warnings."""
        blocks = blocks_of(fields.get("person_blocks"))
        states = (
            self._read_user_data.states(fields["user_data"], blocks, event["user_data"])
            if self._opt_outs.asks_states
            else []
        )
        return self._opt_outs.apply(event, fields.get("gpc"), states, countries_of(fields["user_data"], blocks))


def _app_name(event: dict[str, Any]) -> bool:
    """Return whether the event names its app, in either form."""
    return "app_name" in event or "app_name" in event.get("app_info", {})


_by_default = ReportConversionEvent(ConversionRules())


def report_conversion_event(
    fields: dict[str, Any] | Resolvable, *, now: float | None, complete: Complete | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Build a Pinterest event from the fields of the action, under the default rules (see ReportConversionEvent)."""
    return _by_default(fields, now=now, complete=complete)
