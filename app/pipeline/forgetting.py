"""A person who asks to be forgotten: memory, and whatever waits to be sent or is kept of what was."""

from dataclasses import dataclass
from typing import Final

from app.errors import MemoryChanged, OutboxUnavailable
from app.identity import FOR_EVER, IdKeys, LoadedMemory, erase
from app.outbox.sealed_events import SealedEvents
from app.pipeline.pipeline import Enqueues

#: How often it is begun again because others change memory meanwhile.
_TRIES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How much was erased of a person."""

    #: Ids under which anything was remembered.
    ids: int
    #: Messages of which a delivery that was not sent, or a payload, was kept.
    messages: int


class Forgetting:
    """Erases people from every store."""

    def __init__(self, outbox: Enqueues, keys: IdKeys, quarantine: SealedEvents | None = None) -> None:
        """Take the store, who makes keys of ids, and where events are kept in quarantine, if any are."""
        self._outbox = outbox
        self._keys = keys
        self._quarantine = quarantine

    async def forget(self, *, user_id: str | None, anonymous_id: str | None, now: float) -> Forgotten:
        """Erase what is remembered under these ids and those linked to the user, and what else is kept under them.

        Marks stay. A second time there is nothing left to erase. `now` is Unix seconds. Raises OutboxUnavailable.
        """
        user, anonymous = self._keys.user(user_id), self._keys.anonymous(anonymous_id)
        return await self.forget_keys(user=user, anonymous=anonymous, now=now)

    async def forget_keys(self, *, user: str | None, anonymous: str | None, now: float) -> Forgotten:
        """Do `forget` for the keys of ids: all of `user`, and of `anonymous` its own. Raises OutboxUnavailable."""
        asked = [key for key in (user, anonymous) if key]
        ids = messages = 0
        traces: list[str] = []
        for _ in range(_TRIES):
            memory = LoadedMemory(FOR_EVER)
            memory.add(asked, await self._outbox.people(asked))
            erased = erase(memory, FOR_EVER, user=user, anonymous=anonymous, now=now)
            traces += memory.traces()
            messages += await self._outbox.forget(memory.erased)
            if self._quarantine is not None:
                messages += await self._quarantine.forget([*asked, *memory.erased])
            try:
                await self._outbox.enqueue([], [], [], now=now, people=memory.changes())
            except MemoryChanged:
                continue
            ids += len(erased)
            if not erased:
                await self._outbox.wipe(traces)
                return Forgotten(ids=ids, messages=messages)
        raise OutboxUnavailable("Others send events of this person all the time. Erase again later.")
