"""Background: claim -> batch -> send -> record, and nothing else.

What becomes of each delivery is decided in `destination.outcomes` and `delivery`; here and in `batch` it is done.
A claim is a lease: whatever goes wrong, the lease ends and the delivery is claimed again.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from app.delivery import Calls, Closed, DeliveryPolicy, Gate, Leases, Limiter, Probe, Shutdown
from app.destination.client import PinterestClient
from app.outbox.protocol import Outbox
from app.sending.batch import Controls, Sending, Surroundings
from app.types import Claimed

#: How long the worker rests where it may not send, or where something broke, before it looks again.
REST_S = 1.0
#: Between two claims that found too little for a batch, so that every small commit does not cause one.
CLAIM_PACE_S = 0.05
#: For each call in flight a second batch is claimed ahead or being recorded, so that no call waits for the outbox.
BATCHES_PER_CALL = 2
#: Of `shutdown_timeout_s`: then calls under way are cut off, and the rest of the time is for recording that.
FINISH_SHARE = 0.8


class Worker:
    """Sends the deliveries of one ad account: `run` until `stop`."""

    def __init__(
        self,
        outbox: Outbox,
        client: PinterestClient,
        policy: DeliveryPolicy,
        *,
        ad_account_id: str,
        surroundings: Surroundings,
    ) -> None:
        self._outbox = outbox
        self._policy = policy
        self._ad_account_id = ad_account_id
        self._surroundings = surroundings
        self._shutdown = Shutdown()
        self._gate = Gate(outbox, ad_account_id=ad_account_id, fingerprint=client.fingerprint)
        self._leases = Leases(outbox, lease_s=policy.lease_s, clock=surroundings.clock, on_error=surroundings.on_error)
        limiter = Limiter(outbox, ad_account_id=ad_account_id, max_calls_per_minute=policy.max_calls_per_minute)
        calls = Calls(
            limiter,
            self._shutdown,
            at_once=policy.max_calls_in_flight,
            clock=surroundings.clock,
            on_error=surroundings.on_error,
        )
        controls = Controls(gate=self._gate, calls=calls, leases=self._leases, shutdown=self._shutdown)
        self._sending = Sending(outbox, client, policy, controls, surroundings)
        self._sends: set[asyncio.Task[bool]] = set()

    async def run(self) -> None:
        """Send until `stop`; then finish, or give back, what is claimed, within `shutdown_timeout_s`."""
        heartbeat = asyncio.create_task(self._leases.run())
        try:
            while not self._shutdown.requested:
                if not await self._survived(self._step()):
                    await self._shutdown.rest(REST_S)
            await self._drain()
        finally:
            tasks = [heartbeat, *self._sends]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Claim nothing more and let `run` end."""
        self._shutdown.request()

    async def _step(self) -> None:
        """Claim one batch and begin to send it, or wait until that may be possible."""
        if len(self._sends) >= BATCHES_PER_CALL * self._policy.max_calls_in_flight:
            await asyncio.wait(self._sends, timeout=REST_S, return_when=asyncio.FIRST_COMPLETED)
            return
        now = self._surroundings.clock()
        paused_s = REST_S if self._surroundings.switches().destination_off else self._sending.outage.resume_at - now
        if paused_s > 0:
            await self._shutdown.rest(min(paused_s, REST_S))
            return
        refusals = self._sending.refusals
        passage = await self._gate.ask(now=now)
        if isinstance(passage, Closed):
            await self._shutdown.rest(min(passage.wait_s, REST_S))
            return
        probe = isinstance(passage, Probe)
        batch = await self._claim(probe=probe)
        if batch:
            self._begin(self._sending.deliver(batch, probe=probe, refusals=refusals))
        else:
            await self._wait_for_more()

    async def _claim(self, *, probe: bool) -> list[Claimed]:
        """Claim a batch, or one delivery as a probe; [] where no batch is full or old enough."""
        batch = await self._outbox.claim(
            self._ad_account_id,
            limit=1 if probe else self._policy.batch_max_events,
            max_bytes=self._policy.batch_max_bytes,
            max_wait_s=0 if probe else self._policy.batch_max_wait_s,
            lease_s=self._policy.lease_s,
            without_presets=self._surroundings.switches().presets_off,
            now=self._surroundings.clock(),
        )
        self._leases.hold(batch)
        return batch

    def _begin(self, delivery: Coroutine[Any, Any, None]) -> None:
        send = asyncio.create_task(self._survived(delivery))
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)

    async def _wait_for_more(self) -> None:
        """Wait until something is due, or what is due has waited long enough to be sent as a small batch."""
        max_wait_s = min(self._policy.batch_max_wait_s, REST_S)
        await self._shutdown.rest(min(CLAIM_PACE_S, max_wait_s))
        await self._shutdown.unless_requested(self._outbox.wait(max_wait_s or REST_S))

    async def _survived(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work`; report what it raises and return False."""
        try:
            await work
        except Exception as exc:  # noqa: BLE001 - whatever it is, the next batch may be sent
            self._surroundings.on_error(exc)
            return False
        return True

    async def _drain(self) -> None:
        """Let calls under way finish, then cut them off and let that be recorded."""
        limit_s = self._policy.shutdown_timeout_s
        if self._sends:
            await asyncio.wait(self._sends, timeout=limit_s * FINISH_SHARE)
        self._shutdown.force()
        if self._sends:
            await asyncio.wait(self._sends, timeout=max(limit_s * (1 - FINISH_SHARE), REST_S))
