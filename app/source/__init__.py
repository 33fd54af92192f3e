"""Interfaces for senders of events: the event model, the webhook, Segment's Tracking API, authentication, consent."""

from app.source.body import read_raw_event
from app.source.event import AcceptsIntake, Arrival, Intake, is_delete, read_event
from app.source.event_files import read_event_text
from app.source.named_sources import NamedSource, events_of_request
from app.source.received_request import app_platform
from app.source.refunds import read_refund
from app.source.withholding import checkout_id_of

__all__ = [
    "AcceptsIntake",
    "Arrival",
    "Intake",
    "NamedSource",
    "app_platform",
    "checkout_id_of",
    "events_of_request",
    "is_delete",
    "read_event",
    "read_event_text",
    "read_raw_event",
    "read_refund",
]
