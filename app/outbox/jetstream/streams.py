"""The streams: their names, what their subjects mean, their limits.

    pinrelay.queue.<address>     payloads of unsettled deliveries; a work queue: gone when settled
    pinrelay.held.<address>      payloads of pending deliveries of presets that are switched off
    pinrelay.dead.<address>      payloads of dead deliveries, whole, for a redrive
    pinrelay.kept.<address>      payloads of delivered events, stripped, where PAYLOAD_DAYS keeps them
    pinrelay.ledger.<address>    the newest record of every delivery
    pinrelay.note.<message>      what made no delivery
    pinrelay.tally.<hour>.<process>        counts, by minute
    $KV.pinrelay_keys.<digest>   keys of de-duplication, a key-value bucket
    $KV.pinrelay_shared.<key>    shared values, a key-value bucket

An address is `<account>.<delivery id>.<message id>.<event id>.<preset>`, all but the delivery id hashed: a subject
allows few characters, and an exact look-up by any of them is a subject with wildcards.
"""

import hashlib
import re
from typing import Final

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from app.outbox.outbox_rules import OutboxRules
from app.types import Delivery, Query

QUEUE: Final = "pinrelay_queue"
HELD: Final = "pinrelay_held"
DEAD: Final = "pinrelay_dead"
KEPT: Final = "pinrelay_kept"
LEDGER: Final = "pinrelay_ledger"
NOTES: Final = "pinrelay_notes"
TALLIES: Final = "pinrelay_tallies"
KEYS: Final = "KV_pinrelay_keys"
SHARED: Final = "KV_pinrelay_shared"
#: Core NATS, not stored: "something may be due", with the moment.
WAKE: Final = "pinrelay.wake"

_DELIVERY_ID = re.compile(r"[0-9a-f]{1,40}")
_TOKEN_BYTES = 12
_SHORTEST_AGE_S = 60.0


def token(text: str) -> str:
    """Hash any text into a token of a subject."""
    return hashlib.blake2b(text.encode(), digest_size=_TOKEN_BYTES).hexdigest()


def is_delivery_id(text: str) -> bool:
    """Tell whether a text may be an id of this engine, and so a token of a subject."""
    return _DELIVERY_ID.fullmatch(text) is not None


def address(delivery: Delivery) -> str:
    """Answer the address of a delivery."""
    texts = (delivery.message_id, delivery.event_id, delivery.preset)
    return ".".join((token(delivery.ad_account_id), delivery.delivery_id, *map(token, texts)))


def addresses(query: Query) -> str:
    """Answer the pattern of all addresses that `query` may mean; its delivery id must be one."""
    texts = (query.message_id, query.event_id, query.preset)
    return ".".join(("*", query.delivery_id or "*", *("*" if text is None else token(text) for text in texts)))


def configurations(rules: OutboxRules) -> list[StreamConfig]:
    """Answer how every stream is to be."""
    window_s = max(rules.dedup_window_s, _SHORTEST_AGE_S)
    return [
        # The limit is a last fence: `enqueue` turns away before it.
        _stream(
            QUEUE,
            "pinrelay.queue.>",
            rules,
            retention=RetentionPolicy.WORK_QUEUE,
            max_msgs=2 * rules.max_backlog + 1_000,
            discard=DiscardPolicy.NEW,
        ),
        # No limit a subject where messages are deleted: nats-server 2.10 loses one that is stored, under a limit of 1,
        # while the one before it on its subject is being deleted.
        _stream(HELD, "pinrelay.held.>", rules),
        _stream(DEAD, "pinrelay.dead.>", rules, max_age=rules.ledger_s),
        _stream(KEPT, "pinrelay.kept.>", rules, max_age=max(rules.payload_s, _SHORTEST_AGE_S), max_msgs_per_subject=1),
        _stream(LEDGER, "pinrelay.ledger.>", rules, max_age=rules.ledger_s, max_msgs_per_subject=1),
        _stream(NOTES, "pinrelay.note.>", rules, max_age=rules.ledger_s),
        _stream(TALLIES, "pinrelay.tally.>", rules, max_age=rules.ledger_s, max_msgs_per_subject=1),
        _bucket(KEYS, rules, max_age=window_s),
        _bucket(SHARED, rules),
    ]


def _stream(name: str, subject: str, rules: OutboxRules, **changes: object) -> StreamConfig:
    config = StreamConfig(name=name, subjects=[subject], storage=StorageType.FILE, num_replicas=rules.replicas)
    evolved: StreamConfig = config.evolve(**changes)
    return evolved


def _bucket(name: str, rules: OutboxRules, **changes: object) -> StreamConfig:
    """Answer a stream that NATS tools take for a key-value bucket (ADR-8 of the NATS architecture)."""
    subject = f"{subject_of_bucket(name)}.>"
    return _stream(name, subject, rules, max_msgs_per_subject=1, allow_rollup_hdrs=True, deny_delete=True, **changes)


def subject_of_bucket(name: str) -> str:
    """Answer what the subjects of a bucket's keys begin with."""
    return "$KV." + name.removeprefix("KV_")
