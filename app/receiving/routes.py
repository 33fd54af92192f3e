"""Where a matched event goes: to every ad account that takes its source and its preset, built as that account wants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from msgspec.structs import replace

from app.catalog import Catalog, Preset
from app.core.events import Event, Exit
from app.core.receipts import PresetResult
from app.core.values.candidates import Resolvable
from app.destination import Complete, ConversionRules, report_conversion_event
from app.destination.custom_data import read_order_id
from app.errors import MappingError
from app.receiving.remembering import WhyNotGenuine


class Action(Protocol):
    """Builds the Pinterest event from the fields of the action, or raises EventInvalid."""

    def __call__(
        self, fields: dict[str, Any] | Resolvable, *, now: float | None, complete: Complete | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the event and warnings, given the fields or who resolves them.

        `now` (Unix seconds) judges its age, `complete` adds to `user_data`.
        """
        ...


def _all_genuine(_: Event, __: Event) -> tuple[str | None, tuple[str, ...]]:
    """Stand for the rule about tests, crawlers and orders where none is given: every event is genuine."""
    return None, ()


_RULES = ConversionRules()
#: Why what cancels an order makes no delivery, behind the order.
CANCELLED: Final = "is cancelled: what of it has not left is not sent"
#: Characters of a reason that is kept.
_MAX_REASON = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Making:
    """How an event is built. Ad accounts with the same settings share one, so that it is built once for all of them."""

    #: Builds the finished event.
    action: Action = report_conversion_event
    #: What `action` was made of.
    rules: ConversionRules = _RULES
    not_genuine: WhyNotGenuine = _all_genuine
    #: What an app sent as `web` is sent as `app_ios` or `app_android`.
    action_source_by_context: bool = False


_MAKING = Making()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdAccount:
    """One ad account, as the way of events knows it."""

    ad_account_id: str = ""
    #: Of its destination; "" where the settings name the only one.
    name: str = ""
    #: Whose events it takes; None: of every source.
    sources: frozenset[str] | None = None
    #: By which presets; None: by every one.
    presets: frozenset[str] | None = None
    making: Making = _MAKING

    def takes(self, preset: str, source: str) -> bool:
        """Return whether it takes what this preset makes of events of this source."""
        return (self.sources is None or source in self.sources) and (self.presets is None or preset in self.presets)


def routes(presets: Iterable[Preset], accounts: Sequence[AdAccount], source: str) -> list[tuple[Preset, AdAccount]]:
    """Return each preset with each ad account that takes it, in the order of the presets."""
    return [(preset, account) for preset in presets for account in accounts if account.takes(preset.name, source)]


def not_sent(preset: Preset, account: AdAccount, exit_: Exit, reason: str) -> PresetResult:
    """Return the line of a preset by which an ad account gets nothing.

    The reason is shortened, since it is kept of each event: a few bytes that are sent could have many faults.
    """
    return PresetResult(
        preset=preset.name,
        destination=account.name,
        ad_account_id=account.ad_account_id,
        exit=exit_,
        reason=reason if len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]}…",
    )


def cancellations(event: Event, catalog: Catalog, accounts: Sequence[AdAccount], source: str) -> list[PresetResult]:
    """Return a line for each preset and ad account whose order the event cancels."""
    lines = []
    for preset in catalog.cancellable:
        if preset.withdrawn_by is not None and preset.withdrawn_by.matches(event) and (order := _order(preset, event)):
            reason = f"order {order} {CANCELLED}"
            lines += [
                PresetResult(
                    preset=preset.name,
                    destination=account.name,
                    ad_account_id=account.ad_account_id,
                    exit=Exit.MATCHED,
                    reason=reason,
                    cancels=order,
                )
                for _, account in routes([preset], accounts, source)
            ]
    return lines


def _order(preset: Preset, event: Event) -> str | None:
    """Return the id of the order that an event is about, found as the preset finds it; None where it names none."""
    try:
        found = preset.mapping.resolve(event) or {}
    except MappingError:
        return None
    custom_data = found.get("custom_data")
    return read_order_id(custom_data.get("order_id")) if isinstance(custom_data, dict) else None


def line_for(account: AdAccount, made: PresetResult) -> PresetResult:
    """Return the line of another ad account for this one; memory may add to its event without adding to the other's."""
    event = None if made.event is None else {**made.event, "user_data": {**made.event["user_data"]}}
    return replace(made, destination=account.name, ad_account_id=account.ad_account_id, event=event)
