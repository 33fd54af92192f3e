"""Follow requests to Pinterest to delete a person's data, from the first call to the last response.

The address is stored encrypted. It is sent at least once: a call with a lost response is repeated. The address is
destroyed with Pinterest's response, or after 30 days.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any, Final

from pydantic import SecretStr

from app.core.shared_values import DELETIONS, ERASURES, PinterestDeletion, SharedValues
from app.core.values.times import DAY_S, HOUR_S
from app.destination.client import Answer, Failure
from app.insights.reports.ads_client import AdsClient, AdsToken
from app.outbox.sealed_events import Sealer
from app.sender.shutdown import MinuteTask

#: The interval of status requests to Pinterest.
ASK_S: Final = HOUR_S
#: The time after which an address is destroyed in any case.
DESTROY_S: Final = 30 * DAY_S
_FOUND, _MADE, _UNAUTHORIZED, _FORBIDDEN = 200, 201, 401, 403
NO_BETA: Final = (
    "Pinterest does not allow deletion requests for this app (403). Ask Pinterest for the beta of "
    "conversion_deletion_requests and for a token with ads:read and ads:write"
)


class DeletionRequests(MinuteTask):
    """Advances all requests to Pinterest to delete a person."""

    def __init__(
        self,
        shared: SharedValues,
        client: AdsClient,
        token: AdsToken,
        sealer: Sealer,
        *,
        scrub: Callable[[Collection[str]], Awaitable[None]],
        clock: Callable[[], float],
        on_error: Callable[[Exception], None],
        on_trouble: Callable[[str, str], None],
    ) -> None:
        """Use the client, the token, the decryption of addresses, and the function that overwrites them in files.

        `on_trouble` is called once with an ad account and a reason.
        """
        super().__init__(on_error, client.close)
        self._shared = shared
        self._client = client
        self._token = token
        self._sealer = sealer
        self._scrub = scrub
        self._clock = clock
        self._on_trouble = on_trouble

    async def look(self) -> None:
        """Advance each unfinished request by a step."""
        now = self._clock()
        for name in await DELETIONS.read_all(self._shared):
            stored = await DELETIONS.of(name).read_revised(self._shared)
            one = stored.value
            if one is None or one.is_over or now < one.next_at:
                continue
            # The first process to write performs the step; the others check again when it is due.
            taken = replace(one, next_at=now + ASK_S)
            revision = await DELETIONS.of(name).write(self._shared, taken, revision=stored.revision)
            if revision is not None:
                await self._step(name, taken, revision, now)

    async def _step(self, name: str, one: PinterestDeletion, revision: int, now: float) -> None:
        if one.sealed and now - one.asked_at > DESTROY_S:
            done = replace(one, sealed="", status="not answered in 30 days: the address is destroyed", is_over=True)
        elif not one.request_id and one.is_cancelled:
            done = replace(one, sealed="", status="CANCELLED before it was sent", is_over=True)
        else:
            done = await self._called(one, now)
        if await DELETIONS.of(name).write(self._shared, done, revision=revision) is None:
            return  # cancelled in between: the next check continues from there
        if one.sealed and not done.sealed:
            await self._scrub([one.sealed])
        if done.status != one.status:
            await self._certify(done)

    async def _called(self, one: PinterestDeletion, now: float) -> PinterestDeletion:
        """Return the request after a call."""
        token = await self._token.current(now)
        if not isinstance(token, SecretStr):
            return self._told(one, f"waits: {token.why}")
        path = f"/ad_accounts/{one.ad_account_id}/conversion_deletion_requests"
        if one.request_id:
            method = "DELETE" if one.is_cancelled else "GET"
            answer = await self._client.call(method, f"{path}/{one.request_id}", token)
        else:
            targets = self._sealer.open(one.sealed)
            if targets is None:
                status = "not sent: the key that sealed the address is gone, so erase the person again"
                return replace(one, sealed="", status=status, is_over=True)
            answer = await self._client.call("POST", path, token, {"deletion_targets": targets})
        return self._answered(one, answer)

    def _answered(self, one: PinterestDeletion, answer: Answer | Failure) -> PinterestDeletion:
        if isinstance(answer, Failure):
            return self._told(one, f"waits: {answer.reason}")
        body: Any = answer.body if isinstance(answer.body, dict) else {}
        status, request_id = body.get("status"), body.get("request_id")
        if answer.status in {_FOUND, _MADE} and isinstance(status, str) and isinstance(request_id, str):
            is_over = status != "PENDING"
            return replace(one, sealed="", request_id=request_id, status=status, is_over=is_over)
        if answer.status == _FORBIDDEN:
            return self._told(one, f"waits: {NO_BETA}")
        if one.is_cancelled and one.request_id and answer.status < 500 and answer.status != _UNAUTHORIZED:  # noqa: PLR2004 - a server's error
            return replace(one, is_cancelled=False, status="SUBMITTED: it came too late to be cancelled", is_over=True)
        return self._told(one, f"waits: Pinterest answers {answer.status}")

    def _told(self, one: PinterestDeletion, status: str) -> PinterestDeletion:
        """Report the reason for waiting, once while it lasts."""
        if status != one.status:
            self._on_trouble(one.ad_account_id, status)
        return replace(one, status=status)

    async def _certify(self, one: PinterestDeletion) -> None:
        """Write the progress into the certificate."""
        kept = await ERASURES.of(one.certificate).read_revised(self._shared)
        if kept.value is not None:
            others = [text for text in kept.value.pinterest if not text.startswith(f"{one.ad_account_id}: ")]
            told = (*others, f"{one.ad_account_id}: {one.status}")
            await ERASURES.of(one.certificate).write(self._shared, replace(kept.value, pinterest=told))
