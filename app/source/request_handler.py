"""Handle requests with events: receive, decompress, authenticate, parse, commit, respond.

Requests differ in their `Sender`: app/source/named_sources.py has the sender of `/webhook` and of named sources,
app/source/tracking_api.py the sender with a write key. Quotas, and proofs in the headers, are checked before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request, Response

from app.core.receipts import Receipt
from app.source.body import Limits, MemoryBudget, measured, receive
from app.source.event import AcceptsIntake, Intake, accept_signed, random_id


class Sender(Protocol):
    """The sender of a request: authenticates and parses the body, and creates the response."""

    @property
    def limits(self) -> Limits: ...

    async def authenticate(self, raw: bytes, size: int, *, now: float) -> None:
        """Check the proofs of the body, which has `size` bytes after decompression. Raises RequestRefused."""
        ...

    async def parse(self, raw: bytes, size: int, handler: "RequestHandler", *, now: float) -> tuple[Intake, bool]:
        """Return the events, and whether a signature covers only the first event. Raises RequestRefused."""
        ...

    def answer(self, receipt: Receipt, intake: Intake) -> Response:
        """Return the HTTP response to a request with committed events."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHandler:
    """Commits the events of all requests of a process."""

    accepts: AcceptsIntake
    clock: Callable[[], float]
    #: The memory for the decompressed bodies of all requests.
    budget: MemoryBudget
    #: Creates the message id of an event without an id.
    new_id: Callable[[], str] = random_id

    async def handle(self, request: Request, sender: Sender) -> Response:
        """Handle a request. Raises RequestRefused and OutboxUnavailable."""
        limits = sender.limits
        raw = b"null" if request.method == "GET" else await receive(request, limits)
        size = await measured(raw, limits.max_decompressed_bytes)
        now = self.clock()
        await sender.authenticate(raw, size, now=now)
        async with self.budget.held(raw, size, timeout_s=limits.request_timeout_s):
            intake, only_first = await sender.parse(raw, size, self, now=now)
            receipt = await accept_signed(self.accepts, intake, only_first=only_first)
        return sender.answer(receipt, intake)
