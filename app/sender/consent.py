"""Check consent again at the time of the claim: an opt-out stops deliveries that wait."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from app.config.settings import ConsentSettings
from app.core.consent import (
    NOT_ASKED,
    Answer,
    Answers,
    Subject,
    about_its_order,
    bits_about,
    has_agreed,
    objections,
    opt_outs_that_count,
    opted_out,
    verdict,
)
from app.core.deliveries import Claimed
from app.outbox import ConsentBook, Outbox

#: Added to the reason of an event that is withheld after an attempt.
MAY_HAVE_ARRIVED: Final = "an earlier attempt may have reached Pinterest"


class ConsentCheck:
    """Check claimed deliveries for opt-outs since their enqueueing, or for the required opt-ins."""

    def __init__(self, store: Outbox, book: ConsentBook, settings: ConsentSettings) -> None:
        self._store = store
        self._book = book
        self._settings = settings
        self._opt_outs = opt_outs_that_count(settings.suppress)

    async def passed(self, claimed: Sequence[Claimed], *, now: float) -> list[Claimed]:
        """Return the deliveries that may be sent, with `opt_out` if an opt-out requires it; withdraw the rest.

        Raises OutboxUnavailable.
        """
        if not claimed:
            return []
        await self._book.look(self._store)
        is_required = self._settings.consent_required
        if not (self._book.kept or is_required):
            return list(claimed)
        of = await self._store.subjects_of([each.delivery_id for each in claimed])
        known = self._book.known(subject for subjects in of.values() for subject in subjects)
        if not (is_required or bits_about(known, self._book.kept) & self._opt_outs):
            return list(claimed)
        answers = Answers(await self._store.consents(sorted(known)) if known else ())
        passed: list[Claimed] = []
        withheld: list[tuple[Claimed, str]] = []
        of_orders: list[Answer] = []
        for each in claimed:
            subjects = of.get(each.delivery_id, ())
            what, reason = self._judge(each, subjects, answers)
            if what == "withhold":
                withheld.append((each, await self._reason_for_ledger(each, reason)))
                for subject in subjects:
                    opt_outs = objections(answers, subject)
                    of_orders += answers.add([about for no in opt_outs for about in about_its_order(no, subject)])
            else:
                passed.append(replace(each, payload=opted_out(each.payload)) if what == "opt_out" else each)
        if of_orders:
            await self._store.write_consents(of_orders)
            self._book.note(of_orders, is_lifting=False)
        if withheld:
            await self._store.withhold(withheld, now=now)
        return passed

    async def _reason_for_ledger(self, claimed: Claimed, reason: str) -> str:
        """Return the reason, with a note if the event may have reached Pinterest before it was withheld."""
        was_tried = claimed.lease_was_lost
        if not was_tried and (delivery := await self._store.delivery(claimed.delivery_id)):
            was_tried = bool(delivery.history)
        return f"{reason}; {MAY_HAVE_ARRIVED}" if was_tried else reason

    def _judge(self, claimed: Claimed, subjects: Sequence[Subject], answers: Answers) -> tuple[str, str]:
        """Return the action for a delivery, and its reason."""
        opt_outs = [no for subject in subjects for no in objections(answers, subject)]
        what, no = verdict(opt_outs, self._settings.suppress)
        if what == "send" and self._settings.consent_required and _waited(claimed, subjects):
            is_agreed = any(has_agreed(answers, subject) for subject in subjects)
            return ("send", "") if is_agreed else ("withhold", NOT_ASKED)
        return what, no.reason if no else ""


def consent_check(store: Outbox, settings: ConsentSettings, monotonic: Callable[[], float]) -> ConsentCheck | None:
    """Return the check before a send; `None` if consent never applies to other events."""
    return ConsentCheck(store, ConsentBook(monotonic), settings) if settings.keeps_answers else None


def _waited(claimed: Claimed, subjects: Sequence[Subject]) -> bool:
    """Return whether the order of a shop may have been enqueued before the opt-in; other events have one before.

    If nobody can be identified, the event contained the opt-in.
    """
    return claimed.event_name == "checkout" and any(each.is_trusted and each.keys for each in subjects)
