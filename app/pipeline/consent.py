"""Apply opt-outs to later events from any source, before they are enqueued."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from msgspec.structs import replace

from app.catalog import Catalog, Preset
from app.config.settings import ConsentSettings
from app.core.consent import (
    NOT_ASKED,
    OPT_OUT,
    PUBLIC,
    YES,
    Answer,
    Answers,
    Kind,
    Lifted,
    Subject,
    about_its_order,
    bits_about,
    bits_of,
    has_agreed,
    is_opted_out,
    key_of,
    objections,
    opt_outs_that_count,
    opted_out,
    order_key,
    order_total,
    verdict,
)
from app.core.deliveries import NewDelivery, OrderSide
from app.core.events import Event
from app.core.fields import CONTACTS
from app.core.people import Ownership
from app.core.receipts import PresetResult
from app.core.values.times import DAY_S, HOUR_S
from app.identity import IdentityEvent, Memory
from app.outbox import ConsentBook, Outbox
from app.pipeline.enrichment import finished_by_defaults, of_permitted
from app.pipeline.identity_events import IdentityEventReader
from app.pipeline.receipts import Answered, IntakeBatch
from app.pipeline.twins import order_side, order_token, sent_address
from app.pipeline.waiting import time_left_s
from app.source import Intake

#: Members of an event's device with a permission.
_OF_DEVICE: Final = frozenset({"adTrackingEnabled", "attTrackingStatus", "trackingStatus"})
#: The maximum age of other processes' answers when events are enqueued: a claim checks them again.
_LOOK_EVERY_S: Final = 1.0
#: The approximate limit of new ids that a public key may add answers for in an hour, for each process.
MAX_ADDED: Final = 50_000
#: An opt-in that only repeats a known one is written at most once in this period.
_RENEWED_AFTER_S: Final = DAY_S

#: The members that `order_side` reads from a finished event, for an event without one.
_UNBUILT: Final[dict[str, Any]] = {"event_id": "", "action_source": "web"}


class Consents:
    """Collects the answers in a request's events, and removes withheld deliveries before they are enqueued."""

    def __init__(
        self, settings: ConsentSettings, reader: IdentityEventReader, book: ConsentBook, *, order_wait_s: float = 0
    ) -> None:
        """Use the reader of answers, and the time that a shop order waits for the browser's answer."""
        self._settings = settings
        self._order_wait_s = order_wait_s
        self._reader = reader
        self._book = book
        self._opt_outs = opt_outs_that_count(settings.suppress)
        #: Whether the permission of a device affects other events than its own.
        self._keeps_device = settings.suppress == "withhold" or settings.consent_required
        #: The number of answers that each public key has added in an hour.
        self._hour = 0
        self._added: Counter[str] = Counter()

    async def look(self, store: Outbox, *, max_age_s: float = _LOOK_EVERY_S) -> None:
        """Read answers that other processes stored, unless the last read is recent. Raises OutboxUnavailable."""
        await self._book.look(store, max_age_s=max_age_s)

    def may_count(
        self,
        event: Event,
        presets: Sequence[Preset],
        lines: Sequence[PresetResult],
        identity_event: IdentityEvent | None,
        drafts: IntakeBatch,
        *,
        owner: Ownership | None,
    ) -> bool:
        """Return whether an event may have a relevant answer: an opt-out to store, or an opt-in after an opt-out.

        `owner` is `None` if no data of the event is stored.
        """
        is_asked = self._settings.consent_required
        if not is_asked and (self._book.kept or drafts.refusing):
            if owner is not None:
                is_asked = self._is_known(owner.keys, drafts)
            elif may_answer(event):
                is_asked = self._is_known([key_of(each) for each in self._reader.keys(event)], drafts)
            else:
                return False
        if identity_event is not None:
            return identity_event.is_opt_out or (is_asked and identity_event.is_opt_in)
        if not may_answer(event, by_device=is_asked or self._keeps_device):
            return False
        return is_asked or of_permitted(presets, lines) is None

    def note(
        self,
        event: Event,
        presets: Sequence[Preset],
        lines: Sequence[PresetResult],
        identity_event: IdentityEvent | None,
        catalog: Catalog,
        drafts: IntakeBatch,
        *,
        places: range,
        memory: Memory | None,
    ) -> None:
        """Collect the answers in an event; `places` are the positions of its deliveries in `drafts`."""
        known = identity_event or self._read(event, presets, lines, catalog, drafts.intake)
        is_opt_out, keys = known.is_opt_out, _keys_of(known)
        kind: Kind = self._reader.kind_of_no(event, catalog) if is_opt_out else "category"
        if is_opt_out:
            is_kept = kind != "device" or self._keeps_device
        else:
            is_kept = known.is_opt_in and (self._settings.consent_required or self._is_known(keys, drafts))
        if not is_kept:
            return
        linked = _linked(known.anonymous, memory) if is_opt_out and memory is not None else {}
        order_ids = {line.order.placed_order for line in lines if line.order and line.order.placed_order}
        order_ids |= {each.placed_order for each in drafts.deliveries[places.start : places.stop] if each.placed_order}
        may_name_order = order_ids or (event["type"] == "track" and (is_opt_out or self._settings.consent_required))
        answer, of_order = _answer_of(known, kind, drafts.intake.source), event if may_name_order else None
        said = _answers(answer, dict.fromkeys(keys, False) | linked, of_order, sorted(order_ids), known.found)
        if said:
            drafts.answered.append(Answered(first=places.start, end=places.stop, is_opt_out=is_opt_out, said=said))
        if is_opt_out:
            drafts.refusing.update(name for no in said for name in (no.key, no.author, no.user) if name)

    def _is_known(self, keys: Sequence[str | None], drafts: IntakeBatch) -> bool:
        """Return whether any of some ids has an answer, stored or from earlier events of the same request."""
        return not (self._book.ids.isdisjoint(keys) and drafts.refusing.isdisjoint(keys))

    def _read(
        self, event: Event, presets: Sequence[Preset], lines: Sequence[PresetResult], catalog: Catalog, intake: Intake
    ) -> IdentityEvent:
        """Return an event with a possible answer in the form of memory."""
        reader, now, is_trusted = self._reader, intake.now, intake.is_trusted
        is_opt_out = reader.plain_no(event) is not None
        built = finished_by_defaults(presets, lines) if is_opt_out else of_permitted(presets, lines)
        if built is None or (is_opt_out and built.get("opt_out") is not True):
            return reader(event, catalog, now=now, is_trusted=is_trusted)[0]
        ids = reader.ids_of(event)
        return reader.of_finished(
            event, built, ids, now=now, is_trusted=is_trusted, is_withheld=False, is_opt_out=is_opt_out
        )

    def _subjects(self, drafts: IntakeBatch, local: dict[str, int]) -> dict[int, Subject]:
        """Return the subjects of the deliveries whose answers must be read and judged, by position.

        `local` has the answers in the same request. If an opt-in is required, all deliveries are included. A delivery
        to which only opt-out flags apply is marked directly.
        """
        kept, is_required = self._book.kept, self._settings.consent_required
        found: dict[int, Subject] = {}
        if not (kept or local or is_required):
            return found
        ids = self._book.ids
        local_ids: AbstractSet[str | None] = local.keys()
        for place, (delivery, (event, owner)) in enumerate(zip(drafts.deliveries, drafts.whose, strict=True)):
            keys, order = owner.keys, ""
            if event is not None:
                token = delivery.token if delivery.side else order_token(event)
                order = order_key(delivery.placed_order) if delivery.placed_order else ""
                keys = (*keys, key_of(token), order)
            if not is_required and ids.isdisjoint(keys) and local_ids.isdisjoint(keys):
                continue
            opt_outs, said = bits_about(keys, kept), bits_about(keys, local)
            if is_required or order in ids or order in local or self._is_judged(delivery, opt_outs, said):
                found[place] = self._subject(event, delivery, owner, local)
            elif (opt_outs | said) & self._opt_outs:
                drafts.deliveries[place] = replace(delivery, payload=opted_out(delivery.payload))
        return found

    def _is_judged(self, delivery: NewDelivery, kept: int, said: int) -> bool:
        """Return whether the opt-outs of a delivery must be judged individually: the event does not have all of them.

        `kept` are the stored ones, and `said` those in the same request, whose order matters.
        """
        opt_outs = kept | said
        if opt_outs & self._opt_outs != OPT_OUT or self._settings.suppress == "withhold":
            return opt_outs & self._opt_outs != 0
        if opt_outs & PUBLIC and delivery.is_trusted:  # it may not apply, and may be extended
            return True
        return not is_opted_out(delivery.payload) and (said & YES != 0 or kept & OPT_OUT == 0)

    def _subject(
        self, event: Event | None, delivery: NewDelivery, owner: Ownership, local: Mapping[str, int]
    ) -> Subject:
        token, order = "", order_key(delivery.placed_order) if delivery.placed_order else ""
        totals: tuple[str, ...] = ()
        if event is not None:
            token = key_of(delivery.token if delivery.side else order_token(event))
            if order in local or order in self._book.kept:  # otherwise none exists for them, and there may be dozens
                totals = _side_of(event, delivery).totals
        side = delivery.side or OrderSide()
        return Subject(
            is_trusted=delivery.is_trusted,
            user=owner.user or "",
            browser=owner.anonymous or "",
            contacts=owner.contacts,
            token=token,
            order=order,
            totals=totals,
            facts=side.facts,
            at=side.at,
            # A strong page order may wait, so opt-outs of weak ones are judged when the shop order is claimed.
            ignores_weak=delivery.side is not None,
        )

    async def ask(self, drafts: IntakeBatch, store: Outbox) -> tuple[IntakeBatch, list[Answer]]:
        """Return the drafts without withheld deliveries, and the answers to write.

        Raises OutboxUnavailable.
        """
        await self.look(store)
        told, kept = drafts.answered, self._book.kept
        local = [answer for each in told for answer in each.said]
        about: dict[str, int] = {}
        for each in local:
            about[each.key] = about.get(each.key, 0) | bits_of(each)
        subjects = self._subjects(drafts, about)
        known = self._book.known(subjects.values())
        known |= {each.key for each in local if not each.is_opt_out and each.key in kept}
        if not (known or local or self._settings.consent_required):
            return drafts, []
        stored = await store.consents(sorted(known)) if known else []
        by_place = {(each.key, each.author, each.is_trusted): each for each in stored}
        wanted = [each for each in local if self._is_new(each, by_place.get((each.key, each.author, each.is_trusted)))]
        answers = Answers(stored)
        # An opt-in applies to the deliveries of its own event, an opt-out to later ones: its own have it themselves.
        said_at = [(each.end if each.is_opt_out else each.first, each.said) for each in reversed(told)]
        agreed = {place for each in told if not each.is_opt_out for place in range(each.first, each.end)}
        reasons: dict[int, str] = {}
        for place, subject in subjects.items():
            while said_at and said_at[-1][0] <= place:
                answers.add(said_at.pop()[1])
            wanted += self._judge(place, subject, answers, drafts, reasons, has_opt_in=place in agreed)
        if drafts.intake.public_key is not None:
            wanted = self._within_bounds(wanted, drafts, drafts.intake.public_key)
        return (drafts.withheld(reasons) if reasons else drafts), wanted

    def _judge(
        self,
        place: int,
        subject: Subject,
        answers: Answers,
        drafts: IntakeBatch,
        reasons: dict[int, str],
        *,
        has_opt_in: bool,
    ) -> list[Answer]:
        """Record why a delivery is withheld, or mark it with `opt_out`; return the answers to write."""
        opt_outs = objections(answers, subject)
        what, no = verdict(opt_outs, self._settings.suppress)
        if what == "withhold" and no is not None:
            reasons[place] = no.reason
            if not subject.is_trusted and (event := drafts.whose[place][0]) is not None:
                totals = _side_of(event, drafts.deliveries[place]).totals
                return answers.add(about_its_order(no, replace(subject, totals=totals)))
        elif what == "opt_out":
            delivery = drafts.deliveries[place]
            drafts.deliveries[place] = replace(delivery, payload=opted_out(delivery.payload))
        elif (
            self._settings.consent_required
            and not has_opt_in
            and not has_agreed(answers, subject)
            and not (subject.keys and self._waits(place, drafts))
        ):
            reasons[place] = NOT_ASKED
        if not (subject.is_trusted and subject.user):
            return []
        browsers = [no for no in opt_outs if no.key == subject.browser and not no.is_trusted]
        return answers.add([replace(no, key=subject.user, for_trusted=True) for no in browsers])

    def _waits(self, place: int, drafts: IntakeBatch) -> bool:
        """Make a shop order wait for the browser's answer, if there is time: the claim checks the answers again."""
        delivery, event = drafts.deliveries[place], drafts.whose[place][0]
        if event is None or not delivery.is_trusted or drafts.intake.is_replayed:
            return False
        side = _side_of(event, delivery)
        wait_s = time_left_s(delivery, self._order_wait_s, drafts.intake.now) if side.waits else 0
        if wait_s > 0:
            drafts.deliveries[place] = replace(delivery, side=side, wait_s=wait_s)
        return wait_s > 0

    def _within_bounds(self, answers: list[Answer], drafts: IntakeBatch, public_key: str) -> list[Answer]:
        """Return the answers that a public key may still add in this hour.

        An alert reports a key that exceeds the limit.
        """
        hour = int(drafts.intake.now // HOUR_S)
        if hour != self._hour:
            self._hour, self._added = hour, Counter()
        kept = []
        for each in answers:
            if each.key not in self._book.kept:
                if self._added[public_key] >= MAX_ADDED:
                    drafts.memory_is_full = True
                    continue
                self._added[public_key] += 1
            kept.append(each)
        return kept

    def _is_new(self, answer: Answer, known: Answer | None) -> bool:
        """Return whether to write an answer: every opt-out, and an opt-in that cancels an opt-out or is required."""
        if answer.is_opt_out or not answer.key:
            return answer.is_opt_out
        if known is not None and not known.is_opt_out and answer.at - known.at < _RENEWED_AFTER_S:
            return False
        return self._settings.consent_required or answer.key in self._book.kept

    def written(self, answers: Sequence[Answer], lifted: Sequence[Lifted]) -> None:
        """Add written answers, and the opt-outs that they cancelled."""
        self._book.note(answers, is_lifting=bool(lifted))


def _answer_of(identity_event: IdentityEvent, kind: Kind, source: str) -> Answer:
    """Return the answer in an event, without an id yet."""
    user, browser = key_of(identity_event.user), key_of(identity_event.anonymous)
    return Answer(
        key="",
        author=browser or user,
        user=user,
        is_trusted=identity_event.is_trusted,
        is_opt_out=identity_event.is_opt_out,
        kind=kind,
        at=identity_event.at,
        source="" if browser or not identity_event.is_trusted else source,
    )


def _answers(
    answer: Answer,
    keys: Mapping[str, bool],
    of_order: Event | None,
    order_ids: Sequence[str],
    user_data: Mapping[str, Any],
) -> list[Answer]:
    """Return an answer for each key (the value: it covers trusted events), and for the event's order."""
    found = [replace(answer, key=key, for_trusted=for_trusted) for key, for_trusted in keys.items()]
    token = None if of_order is None else order_token(of_order)
    if of_order is not None and (token or order_ids):
        built = _UNBUILT | {"user_data": {**user_data, **sent_address(of_order)}}
        total = order_total(order_side(of_order, built, message_id="", is_trusted=False))
        about = [*([key_of(token)] if token else []), *map(order_key, order_ids)]
        found += [replace(answer, key=key, total=total) for key in about]
    return found or ([] if answer.is_opt_out else [answer])  # without ids: the answer applies to its own event


def _keys_of(identity_event: IdentityEvent) -> list[str]:
    """Return the keys for storing an answer: of user, browser and contacts."""
    found = identity_event.found
    contacts = (digest for name in CONTACTS for digest in found.get(name, ()))
    return [key_of(each) for each in (identity_event.user, identity_event.anonymous, *contacts) if each]


def _side_of(event: Event, delivery: NewDelivery) -> OrderSide:
    """Return the order side of a checkout event."""
    if delivery.side is not None:
        return delivery.side
    money = {"order_id": delivery.order_id, "currency": delivery.currency}
    built = {"event_id": delivery.event_id, "action_source": delivery.action_source, "custom_data": money}
    return order_side(event, built, message_id=delivery.message_id, is_trusted=delivery.is_trusted)


def _linked(browser: str | None, memory: Memory) -> dict[str, bool]:
    """Return the other ids to which memory applies the opt-out of a browser; the value: it covers trusted events."""
    own = memory.suppression(browser) if browser else None
    found: dict[str, bool] = {}
    for other in own.also if own else ():
        suppression = memory.suppression(other)
        found[key_of(other)] = (
            any(no.for_trusted and browser in no.by for no in suppression.opt_outs) if suppression else False
        )
    return found


def may_answer(event: Event, *, by_device: bool = True) -> bool:
    """Return whether an event has a member with a possible answer, including its device if `by_device`."""
    context = event.get("context")
    traits = context.get("traits") if type(context) is dict else None
    for place in (event.get("properties"), event.get("traits"), context, traits):
        if place is not None and (type(place) is not dict or "opt_out" in place or "optOut" in place):
            return True
    if not context:
        return False
    if "gpc" in context or "consent" in context or "consentManagement" in context:
        return True
    device = context.get("device") if by_device else None
    return device is not None and (type(device) is not dict or not _OF_DEVICE.isdisjoint(device))
