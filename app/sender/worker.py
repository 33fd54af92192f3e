"""The background loop: claim, batch, send, record.

`destination.results` and `settlements` decide on each delivery; this module and `batch` apply the decision. A claim is
a lease: after any error the lease expires and the delivery is claimed again.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from app.config.settings import DeliverySettings
from app.core.deliveries import Claimed
from app.core.shared_values import Trouble
from app.destination.client import PinterestClient
from app.errors import OutboxUnavailable
from app.outbox.arrivals import ArrivalTerms
from app.outbox.store import Outbox
from app.sender.batch import BatchSender
from app.sender.circuit_breaker import NOT_MINE_S, CircuitBreaker
from app.sender.clocks import ClockWatch
from app.sender.context import Dependencies
from app.sender.leases import Leases
from app.sender.rate_limit import Calls, Limiter
from app.sender.settlements import Recording
from app.sender.shutdown import Shutdown

#: The pause of the worker if no event may be sent, or after an error.
REST_S = 1.0
#: The pause between two claims without a full batch, so that small commits do not each cause a claim.
CLAIM_PACE_S = 0.05
#: The number of batches per call in flight: one is claimed ahead or recorded, so that no call waits for the outbox.
BATCHES_PER_CALL = 2
#: The share of a batch that one request must fill to be claimed at the time of its storage; smaller requests share a
#: batch.
ARRIVAL_SHARE = 0.5
#: The number of consecutive claims with a batch that indicate a backlog: new events then wait for older ones.
BACKLOG_BATCHES = 2
#: Seconds that the only failing event waits outside the queue while other events are tried.
ASIDE_S = 5.0
#: The number of failed deliveries that are skipped to find a probe.
MAX_PASSED_OVER = 20
#: The share of `shutdown_timeout_s` after which calls are aborted; the rest of the time is for recording this.
FINISH_SHARE = 0.8


class Worker:
    """Send the deliveries of an ad account: `run` until `stop`."""

    def __init__(
        self,
        outbox: Outbox,
        client: PinterestClient,
        policy: DeliverySettings,
        *,
        ad_account_id: str,
        surroundings: Dependencies,
    ) -> None:
        self._outbox = outbox
        self._policy = policy
        self._ad_account_id = ad_account_id
        self._surroundings = surroundings
        self._clocks = surroundings.clocks
        self._shutdown = Shutdown()
        self._leases = Leases(
            outbox.renew,
            lease_s=policy.lease_s,
            clock=self._clocks.now,
            monotonic=self._clocks.monotonic,
            on_error=self._note,
        )
        self._gate = CircuitBreaker(
            outbox,
            policy,
            ad_account_id=ad_account_id,
            fingerprint=client.fingerprint,
            monotonic=self._clocks.monotonic,
            on_change=surroundings.on_trouble,
        )
        self._clock_watch = self._watch_the_clock()
        self._sending = self._batch_sender(client)
        self._sends: set[asyncio.Task[bool]] = set()
        #: `BatchSender.troubles` when the gate last allowed a batch; `None` after trouble or an error, or before.
        self._passed_at: int | None = None
        #: Whether the gate reported trouble at the last request.
        self._is_stopped = False
        #: The number of consecutive claims with a batch.
        self._batches_in_a_row = 0
        self._probe_under_way: asyncio.Task[bool] | None = None

    def _watch_the_clock(self) -> ClockWatch:
        return ClockWatch(
            self._outbox,
            self._clocks,
            self._leases,
            self._policy,
            ad_account_id=self._ad_account_id,
            on_jump=self._surroundings.on_jump,
        )

    def _batch_sender(self, client: PinterestClient) -> BatchSender:
        limiter = Limiter(
            self._outbox,
            ad_account_id=self._ad_account_id,
            max_calls_per_minute=self._policy.max_calls_per_minute,
        )
        calls = Calls(
            limiter,
            self._shutdown,
            at_once=self._policy.max_calls_in_flight,
            clock=self._clocks.now,
            on_error=self._note,
        )
        recording = Recording(
            self._outbox, self._policy, self._leases, self._shutdown, self._surroundings, on_error=self._note
        )
        return BatchSender(
            client,
            self._policy,
            self._surroundings,
            gate=self._gate,
            calls=calls,
            leases=self._leases,
            recording=recording,
            shutdown=self._shutdown,
        )

    async def run(self) -> None:
        """Send until `stop`; then finish or return the claimed deliveries within `shutdown_timeout_s`."""
        heartbeat = asyncio.create_task(self._leases.run())
        self._outbox.offer_arrivals(self._ad_account_id, self._arrival_terms)
        try:
            while not self._shutdown.requested:
                if not await self._survived(self._step()):
                    self._passed_at = None
                    await self._shutdown.rest(REST_S)
            await self._drain()
        finally:
            self._outbox.offer_arrivals(self._ad_account_id, None)
            tasks = [heartbeat, *self._sends]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def send_due(self) -> None:
        """Send all deliveries that are due, for callers without `run` that control the time."""
        while batch := await self._claim(limit=self._policy.limits.batch_max_events, max_wait_s=0):
            await self._sending.deliver(batch, troubles=self._sending.troubles)

    def stop(self) -> None:
        """Stop claiming and let `run` end."""
        self._shutdown.request()

    @property
    def _is_busy(self) -> bool:
        """Whether the maximum number of batches is under way."""
        return len(self._sends) >= BATCHES_PER_CALL * self._policy.max_calls_in_flight

    async def _step(self) -> None:
        """Claim one batch and begin to send it, or wait until this may be possible."""
        if self._is_busy:
            await asyncio.wait(self._sends, timeout=REST_S, return_when=asyncio.FIRST_COMPLETED)
            return
        if self._probe_under_way and not self._probe_under_way.done():
            await asyncio.wait({self._probe_under_way}, timeout=REST_S)
            return
        if self._surroundings.switches().destination_off:
            await self._shutdown.rest(REST_S)
            return
        await self._clock_watch.look()
        troubles = self._sending.troubles
        passage = await self._gate.ask(now=self._clocks.now())
        trouble = passage.trouble
        if trouble is None and self._is_stopped:
            self._sending.note_recovery()
        self._is_stopped = trouble is not None
        if trouble is not None:
            self._passed_at = None
            if not passage.wait_s:
                await self._probe(trouble, troubles)
            elif not (trouble.only and await self._probe_other(trouble, passage.wait_s, troubles)):
                await self._shutdown.rest(min(passage.wait_s, REST_S))
        elif batch := await self._claim(
            limit=self._policy.limits.batch_max_events, max_wait_s=self._policy.batch_max_wait_s
        ):
            self._passed_at, self._batches_in_a_row = troubles, self._batches_in_a_row + 1
            self._begin(self._sending.deliver(batch, troubles=troubles))
        else:
            self._passed_at, self._batches_in_a_row = troubles, 0
            await self._wait_for_more()

    async def _probe(self, trouble: Trouble, troubles: int) -> None:
        """Send one delivery alone unless another probe is under way; give up deliveries that waited too long."""
        if trouble.state != "blocked" and self._clocks.age_s(trouble.since) >= self._policy.retry_max_age_s:
            while batch := await self._claim(limit=self._policy.limits.batch_max_events, max_wait_s=0):
                if not await self._sending.give_up(batch, trouble):
                    break
        if batch := await self._claim_probe():
            await self._send_probe(batch, trouble, troubles)
        else:
            await self._wait_for_more()

    async def _probe_other(self, trouble: Trouble, wait_s: float, troubles: int) -> bool:
        """Send a probe at once if another event than the only failing one is due; return whether a probe was sent."""
        batch = await self._claim_probe()
        if batch and batch[0].delivery_id != trouble.only:
            await self._send_probe(batch, trouble, troubles)
            return True
        await self._sending.put_back(batch, trouble.reason, after_s=min(wait_s, ASIDE_S))
        return False

    async def _claim_probe(self) -> list[Claimed]:
        """Claim one due delivery, preferably one without a failed latest call."""
        failed: list[Claimed] = []
        with self._leases.released_on_error(failed):
            while (
                (batch := await self._claim(limit=1, max_wait_s=0))
                and self._sending.has_failed(batch[0])
                and len(failed) < MAX_PASSED_OVER
            ):
                failed += batch
            probe = batch or failed[:1]
            await self._sending.put_back([each for each in failed if each not in probe], "not sent yet")
        return probe

    async def _send_probe(self, batch: list[Claimed], trouble: Trouble, troubles: int) -> None:
        """Send a probe, unless another process has sent one."""
        with self._leases.released_on_error(batch):
            is_mine = await self._gate.take_probe(now=self._clocks.now())
        if is_mine:
            self._probe_under_way = self._begin(self._sending.deliver(batch, is_probe=True, troubles=troubles))
        else:
            await self._sending.put_back(batch, trouble.reason)
            await self._shutdown.rest(NOT_MINE_S)

    async def _claim(self, *, limit: int, max_wait_s: float) -> list[Claimed]:
        """Claim up to `limit` deliveries; [] if no batch is full or old enough."""
        now, begun_at = self._clocks.now(), self._clocks.monotonic()
        batch = await self._outbox.claim(
            self._ad_account_id,
            limit=limit,
            max_bytes=self._policy.limits.batch_max_bytes,
            max_wait_s=max_wait_s,
            lease_s=self._policy.lease_s,
            without_presets=self._surroundings.switches().presets_off,
            take_over=self._leases.may_take_over and not self._clocks.has_jumped,
            now=now,
        )
        return await self._held(batch, now, begun_at)

    def _arrival_terms(self, count: int) -> ArrivalTerms | None:
        """Return the terms to claim a full batch at arrival and send it at once; `None` if it must wait."""
        policy, switches = self._policy, self._surroundings.switches()
        if (
            count < ARRIVAL_SHARE * policy.limits.batch_max_events
            or self._passed_at != self._sending.troubles
            or self._batches_in_a_row >= BACKLOG_BATCHES
            or self._is_busy
            or switches.destination_off
            or self._clocks.noticed()
            or self._shutdown.requested
        ):
            return None
        terms = ArrivalTerms(
            limit=policy.limits.batch_max_events,
            max_bytes=policy.limits.batch_max_bytes,
            lease_s=policy.lease_s,
            without_presets=switches.presets_off,
            claimed=asyncio.get_running_loop().create_future(),
        )
        self._begin(self._send_arrivals(terms, self._sending.troubles))
        return terms

    async def _send_arrivals(self, terms: ArrivalTerms, troubles: int) -> None:
        now, begun_at = self._clocks.now(), self._clocks.monotonic()
        if batch := await self._held(await terms.claimed, now, begun_at):
            await self._sending.deliver(batch, troubles=troubles)

    async def _held(self, batch: list[Claimed], now: float, begun_at: float) -> list[Claimed]:
        """Hold the leases of claimed deliveries; withdraw deliveries after opt-outs and return the rest."""
        self._leases.hold(batch)
        if self._clocks.monotonic() - begun_at > self._policy.lease_s / 3:
            self._leases.disturbed()  # other processes that waited as long for the store could not renew
        consents = self._surroundings.consents
        if consents is None:
            return batch
        with self._leases.released_on_error(batch):
            passed = await consents.passed(batch, now=now)
        if len(passed) < len(batch):
            left = {each.delivery_id for each in passed}
            self._leases.release([each for each in batch if each.delivery_id not in left])
        return passed

    def _begin(self, delivery: Coroutine[Any, Any, None]) -> asyncio.Task[bool]:
        send = asyncio.create_task(self._survived(delivery))
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)
        return send

    def _note(self, error: Exception) -> None:
        """Report an error and continue; while the outbox is unavailable, leases cannot be renewed."""
        if isinstance(error, OutboxUnavailable):
            self._leases.disturbed()
        self._surroundings.on_error(error)

    async def _wait_for_more(self) -> None:
        """Wait until a delivery is due, or due deliveries have waited long enough for a small batch."""
        max_wait_s = min(self._policy.batch_max_wait_s, REST_S)
        await self._shutdown.rest(min(CLAIM_PACE_S, max_wait_s))
        await self._shutdown.unless_requested(self._outbox.wait(self._ad_account_id, max_wait_s or REST_S))

    async def _survived(self, work: Coroutine[Any, Any, None]) -> bool:
        try:
            await work
        except Exception as exc:  # noqa: BLE001 - whatever it is, the next batch may be sent
            self._note(exc)
            return False
        return True

    async def _drain(self) -> None:
        """Let current calls finish, then abort them and let this be recorded."""
        limit_s = self._policy.shutdown_timeout_s
        if self._sends:
            await asyncio.wait(self._sends, timeout=limit_s * FINISH_SHARE)
        self._shutdown.force()
        if self._sends:
            await asyncio.wait(self._sends, timeout=max(limit_s * (1 - FINISH_SHARE), REST_S))
