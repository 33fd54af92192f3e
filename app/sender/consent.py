"""A no that a person said keeps what waits from being sent: asked once more when deliveries are claimed."""

from collections.abc import Collection, Sequence
from typing import Any, Final, Protocol

import orjson
from msgspec.structs import replace

from app.config.settings import ConsentSettings
from app.core.consent import (
    Answers,
    ConsentBook,
    KeepsConsents,
    Reach,
    Subject,
    key_of,
    objections,
    order_key,
    verdict,
)
from app.core.deliveries import Claimed
from app.core.people import Ownership

_NOBODY: Final = Ownership(message_id="", user=None, anonymous=None)


class _Store(KeepsConsents, Protocol):
    async def owners_of(self, messages: Collection[str]) -> list[Ownership]: ...

    async def withhold(self, claimed: Sequence[tuple[Claimed, str]], *, now: float) -> int: ...


class ConsentCheck:
    """Asks for what is claimed whether its person said no since it was enqueued."""

    def __init__(self, store: _Store, book: ConsentBook, reach: Reach) -> None:
        self._store = store
        self._book = book
        self._reach = reach

    async def passed(self, claimed: Sequence[Claimed], *, now: float) -> list[Claimed]:
        """Return what may be sent, with `opt_out` where a no asks for it, and withdraw the rest.

        Raises OutboxUnavailable.
        """
        if not claimed:
            return []
        await self._book.look(self._store)
        if self._book.is_empty:
            return list(claimed)
        owners = {each.message_id: each for each in await self._store.owners_of([each.message_id for each in claimed])}
        subjects = [_subject(each, owners.get(each.message_id, _NOBODY)) for each in claimed]
        known = self._book.known(subjects)
        if not known:
            return list(claimed)
        answers = Answers(await self._store.consents(sorted(known)))
        passed: list[Claimed] = []
        withheld: list[tuple[Claimed, str]] = []
        for each, subject in zip(claimed, subjects, strict=True):
            what, no = verdict(objections(answers, subject), self._reach)
            if what == "withhold" and no is not None:
                withheld.append((each, no.reason))
            else:
                passed.append(_with_opt_out(each) if what == "opt_out" else each)
        if withheld:
            await self._store.withhold(withheld, now=now)
        return passed


def consent_check(store: _Store, settings: ConsentSettings) -> ConsentCheck | None:
    """Return what asks once more before something is sent; None where a no reaches no other event."""
    return None if settings.suppress == "fill" else ConsentCheck(store, ConsentBook(), settings.suppress)


def _subject(claimed: Claimed, owner: Ownership) -> Subject:
    order_id = None
    if claimed.event_name == "checkout":
        custom_data: dict[str, Any] = orjson.loads(claimed.payload).get("custom_data", {})
        order_id = custom_data.get("order_id")
    return Subject(
        is_proven=owner.is_proven,
        user=key_of(owner.user),
        browser=key_of(owner.anonymous),
        contacts=tuple(map(key_of, owner.contacts)),
        order=order_key(order_id) if order_id else "",
    )


def _with_opt_out(claimed: Claimed) -> Claimed:
    return replace(claimed, payload=orjson.dumps({**orjson.loads(claimed.payload), "opt_out": True}))
