"""How a no that a person said reaches later events, whichever source sends them: asked before they are enqueued."""

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
    nos_that_count,
    objections,
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

#: Members of an event's device by which it may say yes or no.
_OF_DEVICE: Final = frozenset({"adTrackingEnabled", "attTrackingStatus", "trackingStatus"})
#: How old what other processes noted may be when events are enqueued: it is asked again when they are claimed.
_LOOK_EVERY_S: Final = 1.0
#: About so many new ids a public key may answer in an hour, for each process.
MAX_ADDED: Final = 50_000
#: A yes that only repeats what is known is written once in so long a time.
_RENEWED_AFTER_S: Final = DAY_S

#: What `order_side` asks of a finished event, for one that nothing was made of.
_UNBUILT: Final[dict[str, Any]] = {"event_id": "", "action_source": "web"}


class Consents:
    """Notes what the events of a request answer, and keeps what may not be sent from being enqueued."""

    def __init__(
        self, settings: ConsentSettings, reader: IdentityEventReader, book: ConsentBook, *, order_wait_s: float = 0
    ) -> None:
        """Take what reads answers, and for how long a shop's order waits for the browser's word."""
        self._settings = settings
        self._order_wait_s = order_wait_s
        self._reader = reader
        self._book = book
        self._nos = nos_that_count(settings.suppress)
        #: Whether what a device permits counts for anything but its own events.
        self._keeps_device = settings.suppress == "withhold" or settings.consent_required
        #: How much each public key has added in an hour.
        self._hour = 0
        self._added: Counter[str] = Counter()

    async def look(self, store: Outbox, *, max_age_s: float = _LOOK_EVERY_S) -> None:
        """Learn what other processes noted, unless that was done so recently. Raises OutboxUnavailable."""
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
        """Return whether an event may answer what counts: a no that is kept, or a yes of somebody who said no.

        `owner` is None where nothing of the event is kept.
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
            return identity_event.is_no or (is_asked and identity_event.is_yes)
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
        """Note what an event answers; `places` are those of its deliveries among those of `drafts`."""
        known = identity_event or self._read(event, presets, lines, catalog, drafts.intake)
        is_no, keys = known.is_no, _keys_of(known)
        kind: Kind = self._reader.kind_of_no(event, catalog) if is_no else "category"
        if is_no:
            is_kept = kind != "device" or self._keeps_device
        else:
            is_kept = known.is_yes and (self._settings.consent_required or self._is_known(keys, drafts))
        if not is_kept:
            return
        linked = _linked(known.anonymous, memory) if is_no and memory is not None else {}
        order_ids = {line.order.placed_order for line in lines if line.order and line.order.placed_order}
        order_ids |= {each.placed_order for each in drafts.deliveries[places.start : places.stop] if each.placed_order}
        may_name_order = order_ids or (event["type"] == "track" and (is_no or self._settings.consent_required))
        answer, of_order = _answer_of(known, kind, drafts.intake.source), event if may_name_order else None
        said = _answers(answer, dict.fromkeys(keys, False) | linked, of_order, sorted(order_ids), known.found)
        if said:
            drafts.answered.append(Answered(first=places.start, end=places.stop, is_no=is_no, said=said))
        if is_no:
            drafts.refusing.update(name for no in said for name in (no.key, no.said_by, no.user) if name)

    def _is_known(self, keys: Sequence[str | None], drafts: IntakeBatch) -> bool:
        """Return whether anything is known about one of some ids, or said by events before in the same request."""
        return not (self._book.ids.isdisjoint(keys) and drafts.refusing.isdisjoint(keys))

    def _read(
        self, event: Event, presets: Sequence[Preset], lines: Sequence[PresetResult], catalog: Catalog, intake: Intake
    ) -> IdentityEvent:
        """Return an event that may answer as memory sees it."""
        reader, now, is_trusted = self._reader, intake.now, intake.is_trusted
        is_no = reader.plain_no(event) is not None
        built = finished_by_defaults(presets, lines) if is_no else of_permitted(presets, lines)
        if built is None or (is_no and built.get("opt_out") is not True):
            return reader(event, catalog, now=now, is_trusted=is_trusted)[0]
        ids = reader.ids_of(event)
        return reader.of_finished(event, built, ids, now=now, is_trusted=is_trusted, is_withheld=False, is_no=is_no)

    def _subjects(self, drafts: IntakeBatch, local: dict[str, int]) -> dict[int, Subject]:
        """Return whose deliveries are, by their places: of those whose answers have to be read and judged.

        `local` is what the same request says of ids. Where a yes is required it is of all deliveries. A delivery for
        which only opt-outs hold says so afterwards.
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
            nos, said = bits_about(keys, kept), bits_about(keys, local)
            if is_required or order in ids or order in local or self._is_judged(delivery, nos, said):
                found[place] = self._subject(event, delivery, owner, local)
            elif (nos | said) & self._nos:
                drafts.deliveries[place] = replace(delivery, payload=opted_out(delivery.payload))
        return found

    def _is_judged(self, delivery: NewDelivery, kept: int, said: int) -> bool:
        """Return whether the opt-outs about a delivery must be read one by one: the event does not have all of them.

        `kept` are those in the store, and `said` those in the same request, whose order counts.
        """
        nos = kept | said
        if nos & self._nos != OPT_OUT or self._settings.suppress == "withhold":
            return nos & self._nos != 0
        if nos & PUBLIC and delivery.is_trusted:  # it may not hold, and may be handed on
            return True
        return not is_opted_out(delivery.payload) and (said & YES != 0 or kept & OPT_OUT == 0)

    def _subject(
        self, event: Event | None, delivery: NewDelivery, owner: Ownership, local: Mapping[str, int]
    ) -> Subject:
        token, order = "", order_key(delivery.placed_order) if delivery.placed_order else ""
        totals: tuple[str, ...] = ()
        if event is not None:
            token = key_of(delivery.token if delivery.side else order_token(event))
            if order in local or order in self._book.kept:  # else nobody asks for them, and there may be dozens
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
            # a strong page order may wait, so opt-outs of weak ones are judged when the shop order is claimed
            ignores_weak=delivery.side is not None,
        )

    async def ask(self, drafts: IntakeBatch, store: Outbox) -> tuple[IntakeBatch, list[Answer]]:
        """Return the drafts without what may not be sent, and the answers that are to be written.

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
        known |= {each.key for each in local if not each.is_no and each.key in kept}
        if not (known or local or self._settings.consent_required):
            return drafts, []
        stored = await store.consents(sorted(known)) if known else []
        by_place = {(each.key, each.said_by, each.is_trusted): each for each in stored}
        wanted = [each for each in local if self._is_new(each, by_place.get((each.key, each.said_by, each.is_trusted)))]
        answers = Answers(stored)
        # a yes counts for the deliveries of its own event, a no for later ones: its own say so themselves
        said_at = [(each.end if each.is_no else each.first, each.said) for each in reversed(told)]
        agreed = {place for each in told if not each.is_no for place in range(each.first, each.end)}
        reasons: dict[int, str] = {}
        for place, subject in subjects.items():
            while said_at and said_at[-1][0] <= place:
                answers.add(said_at.pop()[1])
            wanted += self._judge(place, subject, answers, drafts, reasons, has_said_yes=place in agreed)
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
        has_said_yes: bool,
    ) -> list[Answer]:
        """Note why a delivery is withheld, or send it with `opt_out`; return what is to be written of it."""
        nos = objections(answers, subject)
        what, no = verdict(nos, self._settings.suppress)
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
            and not has_said_yes
            and not has_agreed(answers, subject)
            and not (subject.keys and self._waits(place, drafts))
        ):
            reasons[place] = NOT_ASKED
        if not (subject.is_trusted and subject.user):
            return []
        browsers = [no for no in nos if no.key == subject.browser and not no.is_trusted]
        return answers.add([replace(no, key=subject.user, for_trusted=True) for no in browsers])

    def _waits(self, place: int, drafts: IntakeBatch) -> bool:
        """Let a shop's order wait for the browser's word, where there is time: it is asked again when it is claimed."""
        delivery, event = drafts.deliveries[place], drafts.whose[place][0]
        if event is None or not delivery.is_trusted or drafts.intake.is_replayed:
            return False
        side = _side_of(event, delivery)
        wait_s = time_left_s(delivery, self._order_wait_s, drafts.intake.now) if side.waits else 0
        if wait_s > 0:
            drafts.deliveries[place] = replace(delivery, side=side, wait_s=wait_s)
        return wait_s > 0

    def _within_bounds(self, answers: list[Answer], drafts: IntakeBatch, public_key: str) -> list[Answer]:
        """Return those answers that a public key may add in this hour; an alert names a key that wants more."""
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
        """Return whether an answer is to be written: every no, and a yes that lifts something or is asked for."""
        if answer.is_no or not answer.key:
            return answer.is_no
        if known is not None and not known.is_no and answer.at - known.at < _RENEWED_AFTER_S:
            return False
        return self._settings.consent_required or answer.key in self._book.kept

    def written(self, answers: Sequence[Answer], lifted: Sequence[Lifted]) -> None:
        """Know answers that were written, and that they lifted nos."""
        self._book.note(answers, is_lifting=bool(lifted))


def _answer_of(identity_event: IdentityEvent, kind: Kind, source: str) -> Answer:
    """Return what an event answers, about nothing yet."""
    user, browser = key_of(identity_event.user), key_of(identity_event.anonymous)
    return Answer(
        key="",
        said_by=browser or user,
        user=user,
        is_trusted=identity_event.is_trusted,
        is_no=identity_event.is_no,
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
    """Return an answer about each key, which says whether it holds for trusted events, and about the event's order."""
    found = [replace(answer, key=key, for_trusted=for_trusted) for key, for_trusted in keys.items()]
    token = None if of_order is None else order_token(of_order)
    if of_order is not None and (token or order_ids):
        built = _UNBUILT | {"user_data": {**user_data, **sent_address(of_order)}}
        total = order_total(order_side(of_order, built, message_id="", is_trusted=False))
        about = [*([key_of(token)] if token else []), *map(order_key, order_ids)]
        found += [replace(answer, key=key, total=total) for key in about]
    return found or ([] if answer.is_no else [answer])  # of nobody: it counts for its own event


def _keys_of(identity_event: IdentityEvent) -> list[str]:
    """Return the keys under which an answer is kept: of user, browser and contacts."""
    found = identity_event.found
    contacts = (digest for name in CONTACTS for digest in found.get(name, ()))
    return [key_of(each) for each in (identity_event.user, identity_event.anonymous, *contacts) if each]


def _side_of(event: Event, delivery: NewDelivery) -> OrderSide:
    """Return what the event of a checkout says of its order."""
    if delivery.side is not None:
        return delivery.side
    money = {"order_id": delivery.order_id, "currency": delivery.currency}
    built = {"event_id": delivery.event_id, "action_source": delivery.action_source, "custom_data": money}
    return order_side(event, built, message_id=delivery.message_id, is_trusted=delivery.is_trusted)


def _linked(browser: str | None, memory: Memory) -> dict[str, bool]:
    """Return the other ids to which memory applies the opt-out of a browser; the value tells if trusted events obey."""
    own = memory.suppression(browser) if browser else None
    found: dict[str, bool] = {}
    for other in own.also if own else ():
        suppression = memory.suppression(other)
        found[key_of(other)] = (
            any(no.for_trusted and browser in no.by for no in suppression.nos) if suppression else False
        )
    return found


def may_answer(event: Event, *, by_device: bool = True) -> bool:
    """Return whether an event has a member by which its person may say yes or no, also by its device if asked."""
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
