"""Forget a person: memory, and whatever waits to be sent or is kept of what was."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from app.access.audit import Audit
from app.access.users import Person
from app.core.pages import AuditAction
from app.core.values.texts import count_of
from app.destination import TypedPerson
from app.errors import MemoryChanged, OutboxUnavailable
from app.identity import FOR_EVER, IdKeys, LoadedMemory, erase
from app.outbox import Outbox
from app.outbox.sealed_events import SealedEvents

#: How often it is begun again because others change memory meanwhile.
_TRIES: Final = 100

_GIVE_ADDRESS: Final = "Give the person's e-mail address too (`--email`, `email`): what holds its digest is erased."
_KEYED: Final = (
    "Memory or quarantine keeps something under keyed ids. REMEMBER_SECRET is not set, so nobody can be found there: "
    "set the secret that they were made with."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How much was erased of a person."""

    #: Ids under which anything was remembered.
    ids: int
    #: Messages of which a delivery that was not sent, or a payload, was kept.
    messages: int
    #: What may be the person's and could not be erased, with the remedy; "" where there is nothing.
    stays: str = ""


class Forgetting:
    """Erases people from every store."""

    def __init__(
        self, outbox: Outbox, keys: IdKeys | None, digests: TypedPerson, quarantine: SealedEvents | None = None
    ) -> None:
        """Take the store, who makes keys of ids, digests of what is given, and where events are kept in quarantine.

        `keys` None: there is no secret to make keys with.
        """
        self._outbox = outbox
        self._keys = keys
        self._digests = digests
        self._quarantine = quarantine

    async def forget(
        self, *, user_id: str | None, anonymous_id: str | None, email: str | None = None, now: float
    ) -> Forgotten:
        """Erase what is remembered under these ids and those linked to the user, and what else is kept under them.

        Beside memory, what holds a digest of an id or of the e-mail address is erased. Marks stay. A second time there
        is nothing left to erase. `now` is Unix seconds. Raises OutboxUnavailable.
        """
        digests = [digest for given in (user_id, anonymous_id) if given for digest in self._digests.of_id(given)]
        if email and (digest := self._digests(email)):
            digests.append(digest)
        messages, nobodys = await self._kept(digests)
        user = anonymous = None
        if self._keys is not None:
            user, anonymous = self._keys.user(user_id), self._keys.anonymous(anonymous_id)
        done = await self.forget_keys(user=user, anonymous=anonymous, now=now, messages=messages, digests=digests)
        elsewhere = await self._outbox.kept_elsewhere(digests)
        stays = [_KEYED] if elsewhere.is_keyed and self._keys is None else []
        if not email and not done.ids and (nobodys or elsewhere.orders):
            stays.append(_told(nobodys, elsewhere.orders))
        return Forgotten(ids=done.ids, messages=done.messages, stays=" ".join(stays))

    async def _kept(self, digests: Sequence[str]) -> tuple[list[str], int]:
        """Return the messages of which something holds a digest, and of how many others nobody can tell whose."""
        messages: list[str] = []
        nobodys, after = 0, 0
        while True:
            found = await self._outbox.kept_of(digests, after=after)
            messages += found.messages
            nobodys += found.nobodys
            if found.after is None:
                return messages, nobodys
            after = found.after

    async def forget_keys(
        self,
        *,
        user: str | None,
        anonymous: str | None,
        now: float,
        messages: Collection[str] = (),
        digests: Collection[str] = (),
    ) -> Forgotten:
        """Do `forget` for the keys of ids: all of `user`, and of `anonymous` its own. Raises OutboxUnavailable.

        Erases some messages too, and what tells the buyers of orders by some digests.
        """
        asked = [key for key in (user, anonymous) if key]
        ids = count = 0
        traces = list(digests)
        for _ in range(_TRIES):
            memory = LoadedMemory(FOR_EVER)
            memory.add(asked, await self._outbox.people(asked))
            erased = erase(memory, FOR_EVER, user=user, anonymous=anonymous, now=now)
            traces += memory.traces()
            count += await self._outbox.forget(memory.erased, messages=messages, digests=digests)
            messages, digests = (), ()
            if self._quarantine is not None:
                count += await self._quarantine.forget([*asked, *memory.erased])
            try:
                await self._outbox.enqueue([], [], [], now=now, people=memory.changes())
            except MemoryChanged:
                continue
            ids += len(erased)
            if not erased:
                await self._outbox.scrub(traces)
                return Forgotten(ids=ids, messages=count)
        raise OutboxUnavailable("New events of this person keep arriving. Erase again later.")


def _told(nobodys: int, orders: int) -> str:
    kept = [count_of(nobodys, "event")] if nobodys else []
    kept += [f"the keys of {count_of(orders, 'order')}"] if orders else []
    what = "may hold the person's data, such as the digest of an e-mail address: nothing tells whose they are"
    return f"{' and '.join(kept).capitalize()} {what}. {_GIVE_ADDRESS}"


class ForgetActs:
    """Erases people. Every act may raise OutboxUnavailable; no id is written into the audit log."""

    def __init__(
        self,
        forgetting: Forgetting,
        audit: Audit,
        *,
        empty_tails: Callable[[], Awaitable[object]],
    ) -> None:
        """Take who erases, and what has every process let go of events that its live tail holds."""
        self._forgetting = forgetting
        self._audit = audit
        self._empty_tails = empty_tails

    async def forget(
        self, person: Person, *, user_id: str | None, anonymous_id: str | None, email: str | None
    ) -> Forgotten:
        """Erase somebody; return how much was erased, and what stays."""
        work = self._forgetting.forget(user_id=user_id, anonymous_id=anonymous_id, email=email, now=self._audit.clock())
        return await self._noted(person, work)

    async def forget_known(self, person: Person, key: str, *, alone: bool) -> Forgotten:
        """Erase who is behind the key of an id: the whole person of a user id, or what is under this id `alone`."""
        work = self._forgetting.forget_keys(
            user=None if alone else key, anonymous=key if alone else None, now=self._audit.clock()
        )
        return await self._noted(person, work)

    async def _noted(self, person: Person, work: Awaitable[Forgotten]) -> Forgotten:
        forgotten = await work
        await self._empty_tails()
        await self._audit.note(person, AuditAction.FORGET, after=count_of(forgotten.ids, "id"))
        return forgotten
