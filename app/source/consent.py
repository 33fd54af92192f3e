"""Whether an event may be sent at all: consent given to Segment or RudderStack, and the event's `integrations`.

What says yes or no but cannot be read counts as no. "Not given" is: absent, or null; PHP writes an empty object as [].

Sources: Segment, "Consent in Segment Connections"
https://segment.com/docs/privacy/consent-management/consent-in-segment-connections/ and "Filtering data"
https://segment.com/docs/guides/filtering-data/; RudderStack, processor/consent.go in rudderlabs/rudder-server.
"""

from collections.abc import Mapping
from typing import Any

from app.config.settings import ConsentSettings
from app.core.events import Event


def withheld(event: Event, settings: ConsentSettings) -> str | None:
    """Return why the event must not be sent; None where it may be."""
    return (
        (_segment_denies(event, settings.consent_categories) if settings.consent_categories else None)
        or (_rudder_denies(event, settings.rudder_consent_ids) if settings.rudder_consent_ids else None)
        or (_integrations_deny(event, settings.integration_names) if settings.honour_integrations else None)
    )


def consent_answer(event: Event, settings: ConsentSettings) -> bool | None:
    """Return whether the person granted (True) or refused (False) the required consent; None where nothing is said.

    A category that is not named is not refused, though an event without it is withheld. What cannot be read is a no.
    """
    if not settings.consent_categories and not settings.rudder_consent_ids:
        return None
    answers = {
        _segment_answer(event, settings.consent_categories) if settings.consent_categories else None,
        _rudder_answer(event, settings.rudder_consent_ids) if settings.rudder_consent_ids else None,
    }
    return False if False in answers else True if True in answers else None


def _segment_answer(event: Event, categories: tuple[str, ...]) -> bool | None:
    given = _member(_member(event.get("context"), "consent"), "categoryPreferences")
    if given is None:
        return None
    preferences = _object(given)
    if preferences is None:
        return False
    answers = [preferences.get(category) for category in categories]
    if any(answer is not None and answer is not True for answer in answers):
        return False
    return None if None in answers else True


def _rudder_answer(event: Event, ids: tuple[str, ...]) -> bool | None:
    if _rudder_denies(event, ids):
        return False
    allowed = _member(_member(event.get("context"), "consentManagement"), "allowedConsentIds")
    granted = [name for name in ids if name in allowed] if type(allowed) is list else []
    is_any = _member(_member(event.get("context"), "consentManagement"), "resolutionStrategy") == "or"
    return True if granted and (is_any or len(granted) == len(ids)) else None


def _segment_denies(event: Event, categories: tuple[str, ...]) -> str | None:
    """Judge `context.consent.categoryPreferences`: every category must be true, one that is not named is not granted.

    An empty `consent` object flows alone, but not beside an `integrations` object: so Segment does it.
    """
    consent = _member(event.get("context"), "consent")
    if consent is None:
        return None
    if consent == {}:
        beside_integrations = event.get("integrations") is not None
        return "consent: none is given beside `integrations`" if beside_integrations else None
    preferences = _object(_member(consent, "categoryPreferences"))
    if preferences is None:
        return "consent: `context.consent` cannot be read"
    denied = next((category for category in categories if preferences.get(category) is not True), None)
    return None if denied is None else f"consent: category {denied} is not granted"


def _rudder_denies(event: Event, ids: tuple[str, ...]) -> str | None:
    """Judge `context.consentManagement`: one denied id is enough, unless its strategy "or" asks for all of ours."""
    management = _member(event.get("context"), "consentManagement")
    if management is None:
        return None
    if not isinstance(management, dict):
        return "consent: `context.consentManagement` cannot be read"
    denied = management.get("deniedConsentIds")
    if denied is None:
        return None
    # "NaN" stands for a number that no double can hold, see `app.source.json_reader`
    if not isinstance(denied, list) or not all(isinstance(name, str) and name != "NaN" for name in denied):
        return "consent: `deniedConsentIds` cannot be read"
    ours = [name for name in ids if name in denied]
    enough = len(ids) if management.get("resolutionStrategy") == "or" else 1
    return f"consent: {ours[0]} is denied" if len(ours) >= enough else None


def _integrations_deny(event: Event, names: tuple[str, ...]) -> str | None:
    """Judge `integrations`: what names us counts, else `All`; an object counts as true, a name is case sensitive."""
    given = event.get("integrations")
    if given is None or given == {}:  # nearly every event
        return None
    integrations = _object(given)
    if integrations is None:
        return "integrations: cannot be read"
    is_named = False
    for name in names:
        answer = integrations.get(name)
        if answer is not None:
            is_named = True
            if not _allows(answer):
                return f"integrations: {name} is off"
    if not is_named and not _allows(integrations.get("All", True)):
        return "integrations: All is off"
    return None


def _allows(value: Any) -> bool:
    return value is True or isinstance(value, dict)


def _object(value: Any) -> Mapping[str, Any] | None:
    """Return an object, also one that PHP wrote as []; None where it is anything else."""
    if isinstance(value, dict):
        return value
    return {} if value == [] else None


def _member(value: Any, name: str) -> Any:
    """Return a member; None where it is not given, the text "unreadable" where `value` is no object to have it."""
    if value is None:
        return None
    known = _object(value)
    if known is None:
        return "unreadable"
    member = known.get(name)
    return {} if member == [] else member
