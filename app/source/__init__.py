"""What senders of events speak: the event model, the webhook, Segment's Tracking API, authentication, consent."""

from app.source.accepts import Accepts
from app.source.app_context import app_platform
from app.source.auth import SecretHeader, WebhookSecrets, WriteKeys
from app.source.body import Limits, read_raw_event
from app.source.consent import ConsentRules, consent_answer, withheld
from app.source.cors import OpenToPages
from app.source.event import Arrival, read_event
from app.source.event_files import read_event_file, read_event_text
from app.source.genuine import GenuineRules, checkout_id_of, not_genuine
from app.source.quotas import Quota, read_quotas
from app.source.refusal import INTERNAL_ERROR, TOO_SLOW
from app.source.responses import answer, answer_refusal, answer_unavailable, event_json, receipt_json, refusal_json
from app.source.sdk_settings import sdk_settings_router
from app.source.tracking import TrackingRules, tracking_router
from app.source.unpacking import Room
from app.source.webhook import WebhookRules, webhook_router

__all__ = [
    "INTERNAL_ERROR",
    "TOO_SLOW",
    "Accepts",
    "Arrival",
    "ConsentRules",
    "GenuineRules",
    "Limits",
    "OpenToPages",
    "Quota",
    "Room",
    "SecretHeader",
    "TrackingRules",
    "WebhookRules",
    "WebhookSecrets",
    "WriteKeys",
    "answer",
    "answer_refusal",
    "answer_unavailable",
    "app_platform",
    "checkout_id_of",
    "consent_answer",
    "event_json",
    "not_genuine",
    "read_event",
    "read_event_file",
    "read_event_text",
    "read_quotas",
    "read_raw_event",
    "receipt_json",
    "refusal_json",
    "sdk_settings_router",
    "tracking_router",
    "webhook_router",
    "withheld",
]
