"""Convert the fields of the action to a Pinterest ConversionEvent."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from app.config.settings import ConversionSettings
from app.core.fields import ORDER_DETAILS
from app.core.values.candidates import Places, Resolvable, places_in
from app.core.values.event_names import EVENT_NAMES
from app.core.values.texts import count_of
from app.destination.app_and_device import (
    read_app_info,
    read_device_info,
    read_language,
    take_sdk_out,
    without_whole_locale,
)
from app.destination.custom_data import AMOUNTS, CustomDataReader
from app.destination.event_text import EventReaders, ReadEvent
from app.destination.members import MembersReader, all_members
from app.destination.money import is_negative, is_plainly_positive, read_currency
from app.destination.person_sections import blocks_of, countries_of, phones_as_given
from app.destination.privacy_flags import OptOuts, StateOf, read_opt_out
from app.destination.reading import Reader, flattened, read_address, read_boolean
from app.destination.redaction import PersonalData, read_free_text
from app.destination.required_fields import REQUIRED, TIMELY_S, RequiredReader, settled_time
from app.destination.user_data import PIN_UNAUTH, UserDataReader, add_pin_unauth, missing_identifiers
from app.destination.warnings import passed_over
from app.errors import EventInvalid

_NEEDS_IDENTIFIER = (
    "user_data needs at least one of em (email), hashed_maids, or client_ip_address together with client_user_agent"
)
_REFUND = "a refund, not a purchase"
#: Longer reports end with the number of omitted warnings.
_MAX_WARNINGS = 50
#: Fields about the person that are inputs of rules and are not sent directly.
_READ_LATER = ("person_blocks", "gpc", "advertiser_tracking_enabled", PIN_UNAUTH)
#: Adds to a finished `user_data`, in place.
Complete: TypeAlias = Callable[[dict[str, Any]], object]

_OPTIONAL: dict[str, Reader] = {
    "event_source_url": read_address,
    "opt_out": read_opt_out,
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
    """Builds Pinterest events from the fields of the action, under a set of rules. Called once for each event."""

    def __init__(
        self, rules: ConversionSettings, *, action_source: str | None = None, state_of: StateOf | None = None
    ) -> None:
        """Store the rules; `action_source` overrides the mapping, `state_of` looks up the state of an IP address."""
        self._rules = rules
        self._max_age_s = rules.max_event_age_s
        #: Events up to this age are sent with their own time and without a warning.
        self._timely_s = min(TIMELY_S, self._max_age_s)
        self._action_source = action_source
        self._read_required = RequiredReader(frozenset((*EVENT_NAMES, *rules.custom_event_names)))
        self._read_user_data = UserDataReader(rules)
        self._read_custom_data = CustomDataReader(rules)
        optional = _OPTIONAL | {"custom_data": self._read_custom_data}
        self._read = MembersReader(optional, elsewhere=frozenset((*REQUIRED, "user_data", *_READ_LATER)))
        self._readers = EventReaders(
            self._read_required, self._read_user_data, self._read, action_source, self._refuse_refund
        )
        self._personal_data = PersonalData(rules, all_members(optional))
        self._opt_outs = OptOuts(rules, state_of)
        #: All fields of the action that are sent, by name, with their readers.
        self.readers: Mapping[str, Reader] = {
            **self._read_required.readers,
            "user_data": self._read_user_data,
            **optional,
        }

    def __call__(
        self,
        fields: dict[str, Any] | Resolvable,
        now: float | None,
        complete: Complete | None = None,
        platform: str | None = None,
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the event and its warnings. Raises EventInvalid if a required field is missing or unreadable.

        `fields` are the fields, or the object that resolves them. `now` is Unix seconds; `None` turns off the rules
        about age and future. No default is added here. `complete` may add to `user_data` before the check for
        identifiers. `platform` is the action source of an event that the mapping reads as a web event.
        """
        if isinstance(fields, dict):
            places = places_in(fields)
            read = self._of_fields(fields, places)
        else:
            places = fields
            read = fields.read_by(self._readers)
        event = read.sent
        if platform and event["action_source"] == "web" and self._action_source is None:
            event["action_source"] = platform
        warnings = self._judged(read, now, complete)
        warnings += self._finish(event, read)
        if told := places.passed_over:
            warnings += passed_over(told)
        if len(warnings) > _MAX_WARNINGS:
            warnings[_MAX_WARNINGS:] = [f"and {count_of(len(warnings) - _MAX_WARNINGS, 'warning')} more"]
        return event, warnings

    def _of_fields(self, fields: dict[str, Any], places: Places) -> ReadEvent:
        """Read fields that are already resolved."""
        candidates = places.candidates
        sent: dict[str, Any] = {}
        faults: list[str] = []
        warnings: list[str] = []
        for name in REQUIRED:
            is_replaced = name == "action_source" and self._action_source is not None
            given = self._action_source if is_replaced else fields.get(name)
            value, about = self._read_required.read(name, given)
            self._read_required.settle(name, value, about, sent, faults, warnings, candidates)
        blocks, who, custom = (fields.get(name) for name in ("person_blocks", "user_data", "custom_data"))
        custom = custom if type(custom) is dict else {}
        if sent["event_name"] == "checkout":
            self._refuse_refund(custom, places)
        sent["user_data"], about_user = self._read_user_data(who, candidates, blocks_of(blocks))
        optional, about = self._read(fields, candidates)
        sent |= optional or {}
        return ReadEvent(
            sent=sent,
            faults=faults,
            warnings=warnings,
            about_user=list(about_user),
            notes=list(without_whole_locale(about, fields.get("language"), optional)),
            custom_data=custom,
            user_data=who if type(who) is dict else {},
            blocks=blocks,
            gpc=fields.get("gpc"),
            pin_unauth=fields.get(PIN_UNAUTH),
        )

    def _judged(self, read: ReadEvent, now: float | None, complete: Complete | None) -> list[str]:
        """Raise EventInvalid if the event cannot be sent; return the warnings."""
        event, warnings = read.sent, read.warnings
        if read.about_user:
            warnings += [f"user_data{note}" for note in read.about_user]
        if complete:
            event["user_data"] = event["user_data"] or {}
            complete(event["user_data"])
        faults = read.faults
        user_data = event["user_data"] or {}
        if "em" not in user_data and missing_identifiers(user_data):
            faults += [_NEEDS_IDENTIFIER, *warnings]
        if faults:
            raise EventInvalid("; ".join(faults[:_MAX_WARNINGS]))
        if read.pin_unauth is not None:
            add_pin_unauth(event["user_data"], read.pin_unauth)
        if now is not None and not 0 <= now - event["event_time"] <= self._timely_s:
            is_offline = event["action_source"] == "offline"
            event["event_time"], about = settled_time(
                event["event_time"], now=now, max_age_s=self._max_age_s, offline=is_offline
            )
            warnings += about
        if read.notes:
            warnings += [note.removeprefix(".").removeprefix(": ") for note in read.notes]
        return warnings

    def _refuse_refund(self, given: dict[str, Any], places: Places) -> None:
        """Raise EventInvalid if the first readable value of a checkout in the event is negative.

        A plain number as the first value needs no further look-up.
        """
        value = given.get("value")
        if value is None or is_plainly_positive(value):
            return
        currency, _ = read_currency(given.get("currency"))
        context = self._read_custom_data.context(currency)
        is_refund = is_negative(value, context)
        later = places.written(("custom_data", "value"))
        while is_refund is None and (candidate := next(later, None)):
            is_refund = is_negative(candidate.value, context)
        if is_refund:
            raise EventInvalid(_REFUND)

    def _finish(self, event: dict[str, Any], read: ReadEvent) -> list[str]:
        """Apply the rules about several fields; return the warnings."""
        custom_data: dict[str, Any] = event.get("custom_data", {})
        phone = read.user_data.get("phone")
        phone = phone if read.blocks is None else phones_as_given(phone, read.blocks)
        warnings = self._personal_data.take_out(event, custom_data, phone)
        if self._rules.default_currency is not None:
            _complete_currency(custom_data, read.custom_data, self._rules.default_currency)
        if self._opt_outs.asks_states or read.gpc is not None or "opt_out_type" in custom_data:
            event["custom_data"] = custom_data
            warnings += self._apply_opt_outs(event, read)
        if event["event_name"] == "checkout":
            lacking = [name for name in ORDER_DETAILS if name not in custom_data]
            warnings += [f"checkout without {name}: {ORDER_DETAILS[name]}" for name in lacking]
        if not custom_data:
            event.pop("custom_data", None)
        if self._rules.partner_name and "partner_name" not in event:
            event["partner_name"] = self._rules.partner_name
        if "app_info" in event or "app_name" in event:
            warnings += take_sdk_out(event)
        if event["action_source"].startswith("app_") and not _app_name(event):
            warnings.append("app_name: missing, Pinterest asks for it with app events")
        return warnings

    def _apply_opt_outs(self, event: dict[str, Any], read: ReadEvent) -> list[str]:
        """Apply the person's opt-out from any place of the event; return the warnings."""
        blocks = blocks_of(read.blocks)
        asks_states = self._opt_outs.asks_states
        states = self._read_user_data.states(read.user_data, blocks, event["user_data"]) if asks_states else []
        return self._opt_outs.apply(event, read.gpc, states, countries_of(read.user_data, blocks))


def _complete_currency(custom_data: dict[str, Any], given: dict[str, Any], default: str) -> None:
    """Add the default currency to amounts without a currency in the event."""
    has_amounts = any(key in custom_data for key in AMOUNTS)
    if has_amounts and "currency" not in custom_data and next(flattened(given.get("currency")), None) is None:
        custom_data["currency"] = default.upper()


def _app_name(event: dict[str, Any]) -> bool:
    """Return whether the event has the name of its app, in either form."""
    return "app_name" in event or "app_name" in event.get("app_info", {})


#: Builds Pinterest events under the default rules.
report_conversion_event = ReportConversionEvent(ConversionSettings.model_construct())
#: All fields of the action that are sent, with their readers under the default rules.
FIELD_READERS = report_conversion_event.readers
