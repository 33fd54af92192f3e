"""What senders of events speak: the event model, the webhook, Segment's Tracking API, authentication, consent."""

from app.source.auth import (
    HeaderSecret,
    OpenProof,
    SecretHeader,
    SenderProof,
    WebhookSecrets,
    WriteKeys,
    basic_credentials,
    proves_authors,
)
from app.source.body import Limits, MemoryBudget, read_raw_event
from app.source.browser import (
    OpenToPages,
    TagReporting,
    analytics_js_router,
    browser_helper_router,
    page_snippet,
    read_library,
)
from app.source.event import AcceptsIntake, Arrival, Intake, is_delete, read_event, read_or_refuse
from app.source.event_files import read_event_file, read_event_text
from app.source.named_sources import (
    NamedSource,
    NamedSources,
    NamedWebhook,
    events_of,
    events_of_request,
    held_back,
    named_sources_router,
)
from app.source.rate_limits import Quota
from app.source.raw_records import read_raw_requests
from app.source.received_request import app_platform
from app.source.refunds import read_refund
from app.source.responses import (
    INTERNAL_ERROR,
    TOO_SLOW,
    answer,
    answer_refusal,
    answer_unavailable,
    event_json,
    refusal_json,
)
from app.source.sdk_settings import sdk_settings_router
from app.source.signatures import (
    Algorithm,
    Encoding,
    HmacSignature,
    SegmentSignature,
    StandardWebhooksSignature,
    StripeSignature,
    standard_key,
)
from app.source.tracking_api import quotas_of, tracking_router
from app.source.webhook import webhook_router
from app.source.withholding import READ_PROPERTIES, checkout_id_of, consent_answer, why_filtered, withheld

__all__ = [
    "INTERNAL_ERROR",
    "READ_PROPERTIES",
    "TOO_SLOW",
    "AcceptsIntake",
    "Algorithm",
    "Arrival",
    "Encoding",
    "HeaderSecret",
    "HmacSignature",
    "Intake",
    "Limits",
    "MemoryBudget",
    "NamedSource",
    "NamedSources",
    "NamedWebhook",
    "OpenProof",
    "OpenToPages",
    "Quota",
    "SecretHeader",
    "SegmentSignature",
    "SenderProof",
    "StandardWebhooksSignature",
    "StripeSignature",
    "TagReporting",
    "WebhookSecrets",
    "WriteKeys",
    "analytics_js_router",
    "answer",
    "answer_refusal",
    "answer_unavailable",
    "app_platform",
    "basic_credentials",
    "browser_helper_router",
    "checkout_id_of",
    "consent_answer",
    "event_json",
    "events_of",
    "events_of_request",
    "held_back",
    "is_delete",
    "named_sources_router",
    "page_snippet",
    "proves_authors",
    "quotas_of",
    "read_event",
    "read_event_file",
    "read_event_text",
    "read_library",
    "read_or_refuse",
    "read_raw_event",
    "read_raw_requests",
    "read_refund",
    "refusal_json",
    "sdk_settings_router",
    "standard_key",
    "tracking_router",
    "webhook_router",
    "why_filtered",
    "withheld",
]
