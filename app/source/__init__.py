"""What senders of events speak: the event model, the webhook, Segment's Tracking API, authentication, consent."""

from app.source.body import read_raw_event
from app.source.webhook import WebhookRules, webhook_router

__all__ = ["WebhookRules", "read_raw_event", "webhook_router"]
