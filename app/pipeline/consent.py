"""How a no that a person said reaches later events, whichever source sends them: asked before they are enqueued."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import orjson
from msgspec.structs import replace

from app.catalog import Catalog
from app.config.settings import ConsentSettings
from app.core.consent import (
    KEY_DIGITS,
    Answer,
    Answers,
    ConsentBook,
    KeepsConsents,
    Subject,
    has_agreed,
    key_of,
    objections,
    order_key,
    verdict,
)
from app.core.deliveries import NewDelivery
from app.core.events import Event
from app.core.people import Ownership
from app.core.receipts import PresetResult
from app.core.values.times import DAY_S, HOUR_S
from app.identity import IdentityEvent, Memory
from app.pipeline.identity_events import IdentityEventReader
from app.pipeline.receipts import Answered, IntakeBatch
from app.pipeline.twins import order_side

#: In so many places an event may say yes or no, by members of these names.
_FLAGS: Final = frozenset({"opt_out", "optOut"})
_OF_CONTEXT: Final = _FLAGS | {"gpc", "consent", "consentManagement"}
_OF_DEVICE: Final = frozenset({"adTrackingEnabled", "attTrackingStatus", "trackingStatus"})
#: How old what other processes noted may be when events are enqueued: it is asked again when they are claimed.
_LOOK_EVERY_S: Final = 1.0
#: About so many new ids a public key may answer in an hour, for each process.
MAX_ADDED: Final = 50_000
#: A yes that only repeats what is known is written once in so long a time.
_RENEWED_AFTER_S: Final = DAY_S

NOT_ASKED: Final = "CONSENT_REQUIRED: the person has not said yes"
#: What `order_side` asks of a finished event, for one that nothing was made of.
_UNBUILT: Final[dict[str, Any]] = {"event_id": "", "action_source": "web"}


class Consents:
    """Notes what the events of a request answer, and keeps what may not be sent from being enqueued."""

    def __init__(self, settings: ConsentSettings, reader: IdentityEventReader, book: ConsentBook) -> None:
        self._settings = settings
        self._reader = reader
        self._book = book
        #: How much each public key has added in an hour.
        self._hour = 0
        self._added: Counter[str] = Counter()

    def note(
        self,
        event: Event,
        lines: Sequence[PresetResult],
        identity_event: IdentityEvent | None,
        catalog: Catalog,
        drafts: IntakeBatch,
        *,
        since: int,
        owner: Ownership | None,
        memory: Memory | None,
    ) -> None:
        """Note what an event answers, and whose its deliveries are: those of `drafts` from the place `since` on.

        `owner` is of an event that has deliveries.
        """
        intake = drafts.intake
        new = drafts.deliveries[since:]
        said: list[Answer] = []
        if identity_event is None and may_answer(event):
            identity_event, _ = self._reader(event, catalog, now=intake.now, is_proven=intake.is_proven)
        if identity_event and (identity_event.is_no or identity_event.is_yes):
            said = self._answers(event, lines, identity_event, catalog, new, memory, source=intake.source)
        if owner is not None:
            drafts.whose += [(event, owner)] * len(new)
        if said:
            drafts.answered.append(Answered(first=since, end=len(drafts.deliveries), answers=tuple(said)))

    def _subjects(self, drafts: IntakeBatch, *, of_all: bool) -> dict[int, Subject]:
        """Return whose deliveries are, by their places: of all, or of those about whose ids anything may be known."""
        if not of_all and self._book.is_empty:
            return {}
        return {
            place: self._subject(event, delivery, owner)
            for place, (delivery, (event, owner)) in enumerate(zip(drafts.deliveries, drafts.whose, strict=True))
            if of_all or delivery.event_name == "checkout" or self._may_concern(owner)
        }

    def _may_concern(self, owner: Ownership) -> bool:
        knows = self._book.knows
        return (
            (owner.user is not None and knows(owner.user[:KEY_DIGITS]))
            or (owner.anonymous is not None and knows(owner.anonymous[:KEY_DIGITS]))
            or any(knows(digest[:KEY_DIGITS]) for digest in owner.contacts)
        )

    def _subject(self, event: Event, delivery: NewDelivery, owner: Ownership) -> Subject:
        token = ""
        totals: tuple[str, ...] = ()
        if delivery.event_name == "checkout":
            side = delivery.side or order_side(event, _UNBUILT, message_id="", is_proven=delivery.is_proven)
            token, totals = key_of(side.token), side.totals
        return Subject(
            is_proven=delivery.is_proven,
            user=key_of(owner.user),
            browser=key_of(owner.anonymous),
            contacts=tuple(map(key_of, owner.contacts)),
            token=token,
            order=order_key(delivery.order_id) if delivery.order_id else "",
            totals=totals,
        )

    def _answers(
        self,
        event: Event,
        lines: Sequence[PresetResult],
        identity_event: IdentityEvent,
        catalog: Catalog,
        deliveries: Sequence[NewDelivery],
        memory: Memory | None,
        *,
        source: str,
    ) -> list[Answer]:
        user, browser = key_of(identity_event.user), key_of(identity_event.anonymous)
        answer = Answer(
            key="",
            said_by=browser or user,
            user=user,
            is_proven=identity_event.is_proven,
            is_no=identity_event.is_no,
            kind=self._reader.kind_of_no(event, catalog) if identity_event.is_no else "category",
            at=identity_event.at,
            source="" if browser or not identity_event.is_proven else source,
        )
        keys = dict.fromkeys(filter(None, (user, browser)), False)
        contacts = (digest for name in ("em", "ph") for digest in identity_event.found.get(name, ()))
        keys |= dict.fromkeys(map(key_of, contacts), False)
        if identity_event.is_no and memory is not None:
            keys |= _linked(identity_event.anonymous, memory)
        found = [replace(answer, key=key, for_proven=for_proven) for key, for_proven in keys.items()]
        order_ids = {line.order.order_id for line in lines if line.order and line.order.order_id}
        order_ids |= {each.order_id for each in deliveries if each.order_id}
        if order_ids or (identity_event.is_no and event["type"] == "track"):
            side = order_side(event, _UNBUILT, message_id="", is_proven=False)
            total = side.totals[0] if side.totals else ""
            if side.token:
                found.append(replace(answer, key=key_of(side.token), total=total))
            found += [replace(answer, key=order_key(each), total=total) for each in sorted(order_ids)]
        return found

    async def ask(
        self, drafts: IntakeBatch, store: KeepsConsents, *, max_age_s: float = _LOOK_EVERY_S
    ) -> tuple[IntakeBatch, list[Answer]]:
        """Return the drafts without what may not be sent, and the answers that are to be written.

        What other processes noted is known that is older than `max_age_s`. Raises OutboxUnavailable.
        """
        await self._book.look(store, max_age_s=max_age_s)
        local = [each for said in drafts.answered for each in said.answers]
        subjects = self._subjects(drafts, of_all=bool(local) or self._settings.consent_required)
        known = self._book.known(subjects.values()) | {each.key for each in local if self._book.knows(each.key)}
        if not (known or local or self._settings.consent_required):
            return drafts, []
        stored = await store.consents(sorted(known)) if known else []
        by_place = {(each.key, each.said_by, each.is_proven): each for each in stored}
        wanted = [each for each in local if self._is_new(each, by_place.get((each.key, each.said_by, each.is_proven)))]
        if drafts.intake.public_key is not None:
            wanted = self._within_bounds(wanted, drafts, drafts.intake.public_key)
        answers = Answers(stored)
        # a yes counts for the deliveries of its own event, a no for later ones: its own say so themselves
        said_at: dict[int, list[Sequence[Answer]]] = {}
        for said in drafts.answered:
            place = said.end if said.answers[0].is_no else said.first
            said_at.setdefault(place, []).append(said.answers)
        reasons: dict[int, str] = {}
        for place, subject in subjects.items():
            for each in said_at.get(place, ()):
                answers.add(each)
            wanted += self._judge(place, subject, answers, drafts, reasons)
        return (drafts.withheld(reasons) if reasons else drafts), wanted

    def _judge(
        self, place: int, subject: Subject, answers: Answers, drafts: IntakeBatch, reasons: dict[int, str]
    ) -> list[Answer]:
        """Note why a delivery is withheld, or send it with `opt_out`; return what is to be written of it."""
        nos = objections(answers, subject)
        what, no = verdict(nos, self._settings.suppress)
        if what == "withhold" and no is not None:
            reasons[place] = no.reason
        elif what == "opt_out":
            drafts.deliveries[place] = with_opt_out(drafts.deliveries[place])
        elif self._settings.consent_required and not has_agreed(answers, subject):
            reasons[place] = NOT_ASKED
        handed = [
            replace(no, key=subject.user, for_proven=True)
            for no in nos
            if subject.is_proven and subject.user and no.key == subject.browser and not no.is_proven
        ]
        for each in handed:
            answers.add([each])
        return handed

    def _within_bounds(self, answers: list[Answer], drafts: IntakeBatch, public_key: str) -> list[Answer]:
        """Return those answers that a public key may add in this hour; an alert names a key that wants more."""
        hour = int(drafts.intake.now // HOUR_S)
        if hour != self._hour:
            self._hour, self._added = hour, Counter()
        kept = []
        for each in answers:
            if not self._book.knows(each.key):
                if self._added[public_key] >= MAX_ADDED:
                    drafts.memory_is_full = True
                    continue
                self._added[public_key] += 1
            kept.append(each)
        return kept

    def _is_new(self, answer: Answer, known: Answer | None) -> bool:
        """Return whether an answer is to be written: every no, and a yes that lifts something or is asked for."""
        if answer.is_no:
            return True
        if known is not None and not known.is_no and answer.at - known.at < _RENEWED_AFTER_S:
            return False
        return self._settings.consent_required or self._book.knows(answer.key)

    def written(self, answers: Sequence[Answer]) -> None:
        """Know answers that were written."""
        self._book.note(answers)


def _linked(browser: str | None, memory: Memory) -> dict[str, bool]:
    """Return the other ids for which memory has noted the no of a browser, and for which it holds for proven events."""
    own = memory.suppression(browser) if browser else None
    found: dict[str, bool] = {}
    for other in own.also if own else ():
        suppression = memory.suppression(other)
        found[key_of(other)] = (
            any(no.for_proven and browser in no.by for no in suppression.nos) if suppression else False
        )
    return found


def with_opt_out(delivery: NewDelivery) -> NewDelivery:
    """Return a delivery that tells Pinterest that its person opted out."""
    return replace(delivery, payload=orjson.dumps({**orjson.loads(delivery.payload), "opt_out": True}))


def may_answer(event: Event) -> bool:
    """Return whether an event has a member by which its person may say yes or no."""
    for name in ("properties", "traits", "context"):
        place = event.get(name)
        if place is None:
            continue
        if type(place) is not dict or not _FLAGS.isdisjoint(place):
            return True
    context = event.get("context")
    if not context:
        return False
    traits, device = context.get("traits"), context.get("device")
    return (
        not _OF_CONTEXT.isdisjoint(context)
        or (traits is not None and (type(traits) is not dict or not _FLAGS.isdisjoint(traits)))
        or (device is not None and (type(device) is not dict or not _OF_DEVICE.isdisjoint(device)))
    )
