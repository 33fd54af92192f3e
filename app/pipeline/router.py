"""The path of an event to the outbox: the matching presets, their ad accounts, and the results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as change
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from app.catalog import Catalog, Preset
from app.config.settings import ConversionSettings
from app.core.consent import key_of
from app.core.deliveries import NewDelivery
from app.core.events import DEFAULT_SOURCE, Event, Outcome
from app.core.receipts import PresetResult
from app.core.trust import TOO_DEAR, SourceTraits
from app.core.values.hidden_emails import MAX_ID_BYTES, is_long, unpersonal_id
from app.destination import Complete, ReportConversionEvent, report_conversion_event
from app.destination.custom_data import read_order_id
from app.errors import EventInvalid, MappingError
from app.identity import NOTHING_KNOWN, Memory, PersonHistory
from app.mapping import PRODUCT_ID
from app.pipeline.consent import Consents
from app.pipeline.delivery_factory import drafted_delivery
from app.pipeline.enrichment import Enrichment, WhyFiltered, completed_from_memory
from app.pipeline.identity_events import IdentityEventReader, wish_of
from app.pipeline.receipts import CANCELLED_IN_TIME, REFUNDED_IN_PART
from app.pipeline.twins import leave_out_staff
from app.pipeline.waiting import OrderWaits
from app.source import app_platform, read_refund


def _none_filtered(_: Event, __: Event) -> tuple[str | None, tuple[str, ...]]:
    """Accept every event, in place of the rule about tests, crawlers and orders."""
    return None, ()


_RULES = ConversionSettings.model_construct()
#: Maximum length of a stored reason.
_MAX_REASON = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuildProfile:
    """The way of building an event.

    Ad accounts with the same settings share it, so that an event is built once for all of them.
    """

    #: Builds the finished event.
    action: ReportConversionEvent = report_conversion_event
    #: The rules of `action`.
    rules: ConversionSettings = _RULES
    why_filtered: WhyFiltered = _none_filtered
    #: An app's event with `web` is sent as `app_ios` or `app_android`.
    action_source_by_context: bool = False
    #: The product id to send.
    content_id: str = PRODUCT_ID


_MAKING = BuildProfile()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdAccount:
    """An ad account, as the router uses it."""

    ad_account_id: str = ""
    #: The destination's name; "" if the settings configure a single ad account.
    name: str = ""
    #: The sources whose events it receives; `None`: all.
    sources: frozenset[str] | None = None
    #: The presets that send to it; `None`: all.
    presets: frozenset[str] | None = None
    making: BuildProfile = _MAKING
    #: Its own settings set the product id, which overrides the sources.
    owns_content_id: bool = False

    def takes(self, preset: str, source: str) -> bool:
        """Return whether it receives events of this source from this preset."""
        return (self.sources is None or source in self.sources) and (self.presets is None or preset in self.presets)


def routes(presets: Iterable[Preset], accounts: Sequence[AdAccount], source: str) -> list[tuple[Preset, AdAccount]]:
    """Return each preset with each ad account that it sends to, in the order of the presets."""
    return [(preset, account) for preset in presets for account in accounts if account.takes(preset.name, source)]


def not_sent(preset: Preset, account: AdAccount, outcome: Outcome, reason: str) -> PresetResult:
    """Return the result of a preset without a delivery to an ad account.

    The reason is shortened, because it is stored for each event: a few bytes could have many faults.
    """
    return PresetResult(
        preset=preset.name,
        destination=account.name,
        ad_account_id=account.ad_account_id,
        outcome=outcome,
        reason=reason if len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]}…",
    )


def cancellations(event: Event, catalog: Catalog, accounts: Sequence[AdAccount], source: str) -> list[PresetResult]:
    """Return a result for each preset and ad account whose order the event cancels."""
    lines = []
    for preset in catalog.cancellable:
        if preset.withdrawn_by is not None and preset.withdrawn_by.matches(event) and (order := _order(preset, event)):
            refund = read_refund(event)
            reason = f"order {order} {REFUNDED_IN_PART if refund.is_part else CANCELLED_IN_TIME}"
            lines += [
                PresetResult(
                    preset=preset.name,
                    destination=account.name,
                    ad_account_id=account.ad_account_id,
                    outcome=Outcome.MATCHED,
                    reason=reason,
                    cancels=None if refund.is_part else order,
                    refunds=(refund.amount, refund.currency) if refund.amount else None,
                )
                for _, account in routes([preset], accounts, source)
            ]
    return lines


def _order(preset: Preset, event: Event) -> str | None:
    """Return the order id of an event, found as the preset finds it; `None` without one."""
    try:
        found = preset.mapping.resolve(event) or {}
    except MappingError:
        return None
    custom_data = found.get("custom_data")
    return read_order_id(custom_data.get("order_id")) if isinstance(custom_data, dict) else None


def copy_for_account(account: AdAccount, made: PresetResult) -> PresetResult:
    """Return the result of another ad account for this one; memory may add to its event independently."""
    event = None if made.event is None else {**made.event, "user_data": {**made.event["user_data"]}}
    return replace(made, destination=account.name, ad_account_id=account.ad_account_id, event=event)


#: A message id that is not sent as event id is only stored, to recognise the event.
_LONG_ID = f"messageId: a text of more than {MAX_ID_BYTES} bytes, its SHA-256 is kept"

#: Returns why an event must not be sent, or `None`: the event's consent and routing.
WhyWithheld: TypeAlias = Callable[[Event], str | None]
#: Returns why this preset does not send to this ad account now, or `None`: the switches.
WhyOff: TypeAlias = Callable[[str, str], str | None]

_OF_NO_PRESET = PresetResult(preset=None, outcome=Outcome.UNMATCHED, reason="no preset's trigger holds for this event")
#: Why an untrusted `delete` erases no data. A success response would be false.
_NOT_ERASED = "nothing was erased: only a sender who is known by a secret may have somebody erased"
NO_REGULATION = (
    "nothing was erased: `regulationType` is not known. Use DELETE_ONLY, SUPPRESS_WITH_DELETE or SUPPRESS_ONLY"
)
_OF_NO_ACCOUNT = PresetResult(
    preset=None, outcome=Outcome.UNMATCHED, reason="no ad account takes this source and preset"
)


def _of_any_source(_: str) -> SourceTraits:
    """Return default traits, in place of a look-up of sources."""
    return SourceTraits()


class Matched(Struct, frozen=True, gc=False):
    """The presets that match an event, with their ad accounts, and why it is withheld, or `None`."""

    presets: Sequence[Preset]
    ways: Sequence[tuple[Preset, AdAccount]]
    withheld: str | None


def _nothing_against(*_: object) -> None:
    """Return `None`, in place of a rule."""


class Router:
    """Applies all rules to events and maps them."""

    def __init__(  # noqa: PLR0913 - all that the way of events asks
        self,
        accounts: Sequence[AdAccount] = (AdAccount(),),
        *,
        withheld: WhyWithheld | None = None,
        why_off: WhyOff | None = None,
        enrichment: Enrichment | None = None,
        reader: IdentityEventReader | None = None,
        content_id_of: Callable[[str], str | None] = _nothing_against,
        traits_of: Callable[[str], SourceTraits] = _of_any_source,
        waits: OrderWaits | None = None,
        public_order_limits: Mapping[str, Decimal] = MappingProxyType({}),
        consents: Consents | None = None,
    ) -> None:
        """Use at least one ad account, and the rules. Without `enrichment` there is no memory.

        `reader` reads owners of events; `None`: no owner is stored. `content_id_of` returns the product id of a source;
        `None`: as in the settings. `traits_of` returns the traits of a source, `waits` decides which orders wait;
        `None`: none. `public_order_limits` are maximum amounts of public orders by currency. `consents` applies
        opt-outs to other events; `None`: opt-outs only apply to their own event.
        """
        self._accounts = tuple(accounts)
        self._content_id_of = content_id_of
        #: The ad accounts by the product id of a source.
        self._accounts_under: dict[str, Sequence[AdAccount]] = {}
        self._withheld = withheld or _nothing_against
        self._why_off = why_off or _nothing_against
        self._public_order_limits = public_order_limits
        #: Returns the traits of a source by name.
        self.traits_of = traits_of
        self.waits = waits
        self.consents = consents
        #: The completion from memory; `None` without memory.
        self.enrichment = enrichment
        #: Reads the owners of events; `None` if no owner is stored.
        self.reader = reader

    def account(self, name: str, source: str = DEFAULT_SOURCE) -> AdAccount:
        """Return the ad account of a result's destination for events of a source, by default the first."""
        accounts = self._of_source(source)
        return next((account for account in accounts if account.name == name), accounts[0])

    def shop_of(self, source: str) -> str:
        """Return the shop of a source's orders; "" is every shop."""
        return self.traits_of(source).shop

    def _of_source(self, source: str) -> Sequence[AdAccount]:
        """Return the ad accounts with the product id of the source."""
        content_id = self._content_id_of(source)
        if content_id is None:
            return self._accounts
        if content_id not in self._accounts_under:
            makings = {each.making: change(each.making, content_id=content_id) for each in self._accounts}
            self._accounts_under[content_id] = [
                each if each.owns_content_id else change(each, making=makings[each.making]) for each in self._accounts
            ]
        return self._accounts_under[content_id]

    def drafted(
        self, message_id: str, event: Event, line: PresetResult, *, source: str, is_trusted: bool, now: float
    ) -> NewDelivery:
        """Return the delivery of a result with a finished event."""
        delivery = drafted_delivery(
            message_id,
            event,
            line,
            source=source,
            is_trusted=is_trusted,
            leaves_room=not is_trusted
            and self.waits is not None
            and line.ad_account_id in self.waits.accounts_of_trusted,
            shop_of=self.shop_of,
        )
        if self.waits is None or delivery.event_name != "checkout" or line.event is None:
            return delivery
        sided = self.waits.with_side(delivery, event, line.event, now)
        if sided.side is None or is_trusted or self.consents is None or self.reader is None:
            return sided
        browser = key_of(self.reader.ids_of(event).anonymous)
        return replace(sided, side=replace(sided.side, browsers=(browser,))) if browser else sided

    def lines(
        self,
        event: Event,
        catalog: Catalog,
        *,
        now: float,
        source: str = DEFAULT_SOURCE,
        memory: Memory | None = None,
        is_trusted: bool = True,
        is_known: bool = True,
    ) -> list[PresetResult]:
        """Return a result for each matching preset and ad account, or a single one with the reason why there is none.

        A result to enqueue has the finished event, completed from `memory`, if given, which stores the event's data.
        `is_trusted`: the author is authenticated by a secret, `is_known`: the sender is.
        """
        matched = self.matched(event, catalog, source)
        lines = self.mapped(event, matched, now)
        known = NOTHING_KNOWN
        if self.enrichment and memory is not None:
            known, _ = self.enrichment.resolve(
                event, matched.presets, lines, catalog, memory, now=now, is_trusted=is_trusted, is_known=is_known
            )
        lines = self.finished(
            event, matched, lines, catalog, known=known, now=now, source=source, is_trusted=is_trusted
        )
        return self.of_delete(lines, event, is_known=is_known) if event["type"] == "delete" else lines

    def matched(self, event: Event, catalog: Catalog, source: str) -> Matched:
        """Return the presets that match the event, with their ad accounts."""
        reason = self._withheld(event)
        if reason is not None:
            return Matched([], [], reason)
        presets = catalog.matching(event)
        return Matched(presets, routes(presets, self._of_source(source), source), None)

    def mapped(self, event: Event, matched: Matched, now: float) -> list[PresetResult]:
        """Return the results of the event itself, without memory."""
        if matched.withheld is not None:
            return [PresetResult(preset=None, outcome=Outcome.WITHHELD, reason=matched.withheld)]
        return self._map_all(matched.ways, event, now) or [_OF_NO_ACCOUNT if matched.presets else _OF_NO_PRESET]

    def finished(
        self,
        event: Event,
        matched: Matched,
        lines: list[PresetResult],
        catalog: Catalog,
        *,
        known: PersonHistory,
        now: float,
        source: str,
        is_trusted: bool,
    ) -> list[PresetResult]:
        """Return the results of an event completed from memory, and those of the orders that it cancels."""
        ways = matched.ways
        if known.facts and ways:
            lines = [
                completed_from_memory(preset, line, known, partial(self._map, account=account, event=event, now=now))
                for (preset, account), line in zip(ways, lines, strict=True)
            ]
        if self._public_order_limits and not is_trusted:
            lines = [self._not_too_dear(line) for line in lines]
        if not catalog.cancellable or not (cancelled := cancellations(event, catalog, self._accounts, source)):
            return lines
        return [*cancelled, *(line for line in lines if line.outcome is not Outcome.UNMATCHED)]

    def _not_too_dear(self, line: PresetResult) -> PresetResult:
        """Return the result of a public event, withheld if its order exceeds the maximum amount."""
        if line.event is None or line.event["event_name"] != "checkout":
            return line
        money = line.event.get("custom_data", {})
        currency = money.get("currency")
        limit = self._public_order_limits.get(currency)
        if limit is None or Decimal(money.get("value", 0)) <= limit:
            return line
        reason = f"{TOO_DEAR} a public order of more than {limit} {currency}"
        return replace(line, outcome=Outcome.WITHHELD, reason=reason, event=None, warnings=(), hold_s=0, memory=None)

    def of_delete(self, results: list[PresetResult], event: Event, *, is_known: bool) -> list[PresetResult]:
        """Return the results of a `delete`: refused if it has no effect and no preset matches it."""
        reason = NO_REGULATION if wish_of(event) is None else None if is_known else _NOT_ERASED
        if reason is None or any(each.event for each in results):
            return results
        return [PresetResult(preset=None, outcome=Outcome.REFUSED, reason=reason)]

    def _map_all(self, ways: Sequence[tuple[Preset, AdAccount]], event: Event, now: float) -> list[PresetResult]:
        """Return a result for each preset and ad account; equal results for several ad accounts are computed once."""
        if len(self._accounts) == 1:
            return [
                self._off(preset, account, event) or self._make(preset, account, event, now) for preset, account in ways
            ]
        made: dict[tuple[str, BuildProfile], PresetResult] = {}
        lines = []
        for preset, account in ways:
            line, key = self._off(preset, account, event), (preset.name, account.making)
            if line is None and key in made:
                line = copy_for_account(account, made[key])
            elif line is None:
                line = made[key] = self._make(preset, account, event, now)
            lines.append(line)
        return lines

    def _map(self, preset: Preset, complete: Complete, *, account: AdAccount, event: Event, now: float) -> PresetResult:
        return self._off(preset, account, event) or self._make(preset, account, event, now, complete)

    def _off(self, preset: Preset, account: AdAccount, event: Event) -> PresetResult | None:
        reason = self._why_off(preset.name, account.ad_account_id)
        if reason is None and preset.overlapping and preset.overlaps and preset.overlaps.withheld.matches(event):
            reason = preset.overlap_reason
        return None if reason is None else not_sent(preset, account, Outcome.WITHHELD, reason)

    def _make(
        self, preset: Preset, account: AdAccount, event: Event, now: float, complete: Complete | None = None
    ) -> PresetResult:
        making = account.making
        try:
            platform = app_platform(event) if making.action_source_by_context else None
            fields = preset.mapping.under(making.content_id).of(event)
            built, warnings = making.action(fields, now, complete, platform)
        except EventInvalid as exc:
            return not_sent(preset, account, Outcome.INVALID, exc.reason)
        except MappingError as exc:
            return not_sent(preset, account, Outcome.INVALID, str(exc))
        reason, about = making.why_filtered(event, built)
        if reason is not None:
            return not_sent(preset, account, Outcome.WITHHELD, reason)
        warnings += about
        if built["event_name"] == "checkout":
            warnings += _about_app(event, built)
            fault, about = leave_out_staff(event, built)
            if fault is not None:
                return not_sent(preset, account, Outcome.INVALID, fault)
            warnings += about
        message_id = event["messageId"]
        if built["event_id"] != message_id and is_long(message_id) and built["event_id"] != unpersonal_id(message_id):
            warnings.append(_LONG_ID)
        return PresetResult(
            preset=preset.name,
            destination=account.name,
            ad_account_id=account.ad_account_id,
            outcome=Outcome.ENQUEUED,
            warnings=tuple(warnings),
            event=built,
            hold_s=preset.hold_s,
        )


def _about_app(event: Event, built: Event) -> list[str]:
    """Return the warning about a checkout that an app sent as `web`."""
    if built["action_source"] != "web" or not (platform := app_platform(event)):
        return []
    return [f"purchase from an app: sent as web; ACTION_SOURCE_BY_CONTEXT=true sends it as {platform}"]
