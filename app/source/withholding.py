"""Decide whether an event may be sent: consent given to Segment or RudderStack, and the event's `integrations`.

And whether a finished event belongs to a real customer, unlike tests, crawlers and cancelled orders. An unreadable
consent counts as an opt-out. Absent and null count as not given; PHP writes an empty object as [].

Sources: Segment, "Consent in Segment Connections"
https://segment.com/docs/privacy/consent-management/consent-in-segment-connections/ and "Filtering data"
https://segment.com/docs/guides/filtering-data/; RudderStack, processor/consent.go in rudderlabs/rudder-server.
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Final

import crawleruseragents

from app.config.environment import NONE
from app.config.settings import BotFilterSettings, ConsentSettings
from app.core.events import Event
from app.core.values.hidden_emails import unpersonal_id
from app.core.values.placeholders import is_no_id, read_flag, says_nothing, unwrap_single
from app.core.values.times import YEAR_2000, unix_seconds


def withheld(event: Event, settings: ConsentSettings) -> str | None:
    """Return why the event must not be sent; `None` if it may be sent."""
    return (
        (_segment_denies(event, settings.consent_categories) if settings.consent_categories else None)
        or (_rudder_denies(event, settings.rudder_consent_ids) if settings.rudder_consent_ids else None)
        or (_integrations_deny(event, settings.integration_names) if settings.integration_names != NONE else None)
    )


def consent_answer(event: Event, settings: ConsentSettings) -> bool | None:
    """Return whether the person granted (True) or refused (False) the required consent; `None` if unknown.

    An absent category is not refused, although an event without it is withheld. An unreadable value is an opt-out.
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
    """Check `context.consent.categoryPreferences`: every category must be true, an absent category is not granted.

    An empty `consent` object is accepted, but not together with an `integrations` object, as in Segment.
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
    """Check `context.consentManagement`: a single denied id is enough, unless the strategy "or" requires all ids."""
    management = _member(event.get("context"), "consentManagement")
    if management is None:
        return None
    if not isinstance(management, dict):
        return "consent: `context.consentManagement` cannot be read"
    denied = management.get("deniedConsentIds")
    if denied is None:
        return None
    # "NaN" replaces a number that no double can represent, see `app.source.json_reader`.
    if not isinstance(denied, list) or not all(isinstance(name, str) and name != "NaN" for name in denied):
        return "consent: `deniedConsentIds` cannot be read"
    ours = [name for name in ids if name in denied]
    enough = len(ids) if management.get("resolutionStrategy") == "or" else 1
    return f"consent: {ours[0]} is denied" if len(ours) >= enough else None


def _integrations_deny(event: Event, names: tuple[str, ...]) -> str | None:
    """Check `integrations`: the entry for this destination decides, otherwise `All`.

    An object is true; names are case sensitive.
    """
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
    """Return an object, including PHP's empty object []; otherwise `None`."""
    if isinstance(value, dict):
        return value
    return {} if value == [] else None


def _member(value: Any, name: str) -> Any:
    """Return a member; `None` if it is absent, the text "unreadable" if `value` is not an object."""
    if value is None:
        return None
    known = _object(value)
    if known is None:
        return "unreadable"
    member = known.get(name)
    return {} if member == [] else member


_STATUSES: Final = ("status", "financial_status", "financialStatus")
#: `cancelled_at`, and `test` below, are Shopify's: https://shopify.dev/docs/api/admin-rest/latest/resources/order
_CANCELLED_AT: Final = ("cancelled_at", "cancelledAt", "canceled_at", "canceledAt")
#: Texts that programs write for an unknown time and that are not times: "0000-00-00" (MySQL), "0.0", "Invalid date"
#: (JavaScript), "NaT" (pandas), "1/1/0001 12:00:00 AM" (.NET), numbers before the year 1970.
_NO_TIME: Final = re.compile(
    r"[0TZ\s:./_-]*|\s*(?:invalid .{0,40}|nat|never|(?:0?1[/.-]){2}(?:0001|1970)\b.{0,40}|-\d+(?:\.\d+)?)\s*",
    re.IGNORECASE,
)
_CHECKOUT_IDS: Final = ("checkout_id", "checkoutId")
#: Properties that are read from every event, independent of the mapping.
READ_PROPERTIES: Final = (*_STATUSES, *_CANCELLED_AT, *_CHECKOUT_IDS, "test")

#: Hosts that customers cannot reach: RFC 6761 (localhost, test), RFC 6762 (local), and the loopback addresses.
_TEST_PAGE = re.compile(
    r"https?://(?:[^/?#@]*@)?(?:(?:[^/?#:@]*\.)?(?:localhost|test|local)|127(?:\.\d+){3}|\[::1\])\.?(?::\d*)?(?:[/?#]|$)",
    re.IGNORECASE,
)
_SCHEME = len("https://")
#: Maximum length of a cached origin.
_MAX_ORIGIN = 100

#: In the list of crawlers, but sent by apps (`okhttp`, `HttpUrlConnection`) and by the shop's own proxies.
_NO_CRAWLERS: Final = frozenset({"okhttp", "HttpUrlConnection", "Amazon CloudFront"})
#: The checked part of a user agent: crawlers identify themselves earlier.
_MAX_USER_AGENT = 1_000
#: The number of patterns that are combined.
_TOGETHER = 25

_TEST = "a test: %s (remove test_events from WITHHOLD to send it)"
_CRAWLER = "a crawler: its user agent is on the list (remove crawlers from WITHHOLD to send it)"


def bot_filter(
    settings: BotFilterSettings, *, is_live: bool
) -> Callable[[Event, Event], tuple[str | None, tuple[str, ...]]]:
    """Return the rule about tests, crawlers and cancelled orders.

    The rule returns why a finished event is withheld (`None` if it may be sent), and the warnings about an event that
    may. Its arguments are the event as received, and the finished event. The sandbox accepts tests and crawlers, with a
    warning.
    """
    tests, crawlers = "test_events" in settings.withhold, "crawlers" in settings.withhold

    def why_filtered(event: Event, sent: Event) -> tuple[str | None, tuple[str, ...]]:
        reason = _came_to_nothing(event) if sent["event_name"] == "checkout" else None
        if reason:
            return reason, ()
        test = _test(event, sent) if tests else None
        crawler = _CRAWLER if crawlers and is_crawler(sent["user_data"].get("client_user_agent")) else None
        if test is None and crawler is None:  # nearly every event
            return None, ()
        if is_live:
            return test or crawler, ()
        return None, tuple(f"{about}; withheld if Pinterest is live" for about in (test, crawler) if about)

    return why_filtered


def checkout_id_of(event: Event) -> str | None:
    """Return the id that joins the events of a checkout, without personal data; `None` if the event has none."""
    properties = event.get("properties")
    if type(properties) is dict:
        for name in _CHECKOUT_IDS:
            given = properties.get(name)
            if type(given) in (str, int) and not is_no_id(str(given)):
                return unpersonal_id(str(given).strip())
    return None


def _came_to_nothing(event: Event) -> str | None:
    """Return why the order of a checkout is no sale: cancelled, refunded or voided. `None` if it is a sale."""
    properties = event.get("properties")
    if type(properties) is not dict:
        return None
    for name in _STATUSES:
        status = properties.get(name)
        if type(status) is list:
            status = unwrap_single(status)
        if type(status) is str and (word := no_purchase_word(status)):
            return f"the order is not a purchase: its `{name}` says {word}"
    for name in _CANCELLED_AT:
        if name in properties and _says_when(properties[name]):
            return f"the order is not a purchase: it was cancelled (`{name}`)"
    return None


def _says_when(value: Any) -> bool:
    """Return whether a time of cancelling is given, in any form.

    A time before the year 2000, a placeholder and the text of an invalid date count as missing. Any other unreadable
    value ("yes", "4.3.2026") counts as given.
    """
    value = unwrap_single(value)
    flag = read_flag(value)
    if says_nothing(value) or flag is not None:
        return flag is True
    if type(value) is str and (is_no_id(value) or _NO_TIME.fullmatch(value)):
        return False
    seconds = unix_seconds(value, earliest=-math.inf)
    return seconds is None or seconds >= YEAR_2000


def _test(event: Event, sent: Event) -> str | None:
    """Return the sign that an event is a test; `None` if there is none."""
    for holder in ("properties", "context"):
        members = event.get(holder)
        if type(members) is dict and "test" in members and read_flag(members["test"]) is True:
            return _TEST % f"`{holder}.test` is true"
    page = sent.get("event_source_url")
    return _TEST % "its page is on a test host" if page and _is_on_test_host(page) else None


def _is_on_test_host(page: str) -> bool:
    end = page.find("/", _SCHEME)
    origin = page if end < 0 else page[:end]
    return _is_test_origin(origin) if len(origin) <= _MAX_ORIGIN else _TEST_PAGE.match(origin) is not None


@lru_cache(maxsize=1_024)
def _is_test_origin(origin: str) -> bool:
    return _TEST_PAGE.match(origin) is not None


def is_crawler(user_agent: Any) -> bool:
    """Return whether a user agent belongs to a known crawler, or to a browser without a user.

    >>> is_crawler("Mozilla/5.0 (compatible; Googlebot/2.1)"), is_crawler("Shop/2.1 okhttp/4.12.0")
    (True, False)
    """
    return type(user_agent) is str and _is_crawler(user_agent[:_MAX_USER_AGENT])


@lru_cache(maxsize=8_192)
def _is_crawler(user_agent: str) -> bool:
    return any(pattern.search(user_agent) for pattern in _patterns())


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Return the patterns of the list, combined in groups: a single pattern of a thousand is slower."""
    texts = [each["pattern"] for each in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    texts = [text for text in texts if text not in _NO_CRAWLERS]
    return tuple(re.compile("|".join(texts[at : at + _TOGETHER])) for at in range(0, len(texts), _TOGETHER))


#: States of orders that are no sales, in lower case and without marks, with the word for each.
#:
#: Shopify's `financial_status`: https://shopify.dev/docs/api/admin-rest/latest/resources/order
#:
#: WooCommerce's `status`: https://woocommerce.com/document/managing-orders/order-statuses/
_CAME_TO_NOTHING: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("cancelled", "canceled"), "cancelled")
    | {"refunded": "refunded"}
    | dict.fromkeys(("voided", "void"), "voided")
    | dict.fromkeys(("failed", "payment failed", "failure"), "failed")
    | dict.fromkeys(("pending", "pending payment", "payment pending", "awaiting payment"), "pending payment")
)
#: WooCommerce's database writes `wc-cancelled`.
_MARKS: Final = re.compile(r"^wc-|[-_\s]+")


def no_purchase_word(state: str) -> str | None:
    """Return the word for a state of an order that is no purchase; `None` for other states.

    >>> no_purchase_word("wc-pending"), no_purchase_word("Voided"), no_purchase_word("paid")
    ('pending payment', 'voided', None)
    """
    return _CAME_TO_NOTHING.get(_MARKS.sub(" ", state).strip().lower())
