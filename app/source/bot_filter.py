"""Whether a finished event is of a real customer: tests, crawlers and orders that came to nothing are not.

`cancelled_at` and `test` are Shopify's: https://shopify.dev/docs/api/admin-rest/latest/resources/order
"""

import math
import re
from functools import cache, lru_cache
from typing import Any, Final

import crawleruseragents

from app.config.settings import BotFilterSettings
from app.core.events import Event
from app.core.values.flags import read_flag, unwrap_single
from app.core.values.hidden_emails import unpersonal_id
from app.core.values.order_states import no_purchase_word
from app.core.values.placeholders import is_no_id, says_nothing
from app.core.values.times import YEAR_2000, unix_seconds

_STATUSES: Final = ("status", "financial_status", "financialStatus")
_CANCELLED_AT: Final = ("cancelled_at", "cancelledAt", "canceled_at", "canceledAt")
#: What programs write where they know no time, and no time can be read from: "0000-00-00" (MySQL), "0.0", "Invalid
#: date" (JavaScript), "NaT" (pandas), "1/1/0001 12:00:00 AM" (.NET), numbers before the year 1970.
_NO_TIME: Final = re.compile(
    r"[0TZ\s:./_-]*|\s*(?:invalid .{0,40}|nat|never|(?:0?1[/.-]){2}(?:0001|1970)\b.{0,40}|-\d+(?:\.\d+)?)\s*",
    re.IGNORECASE,
)
_CHECKOUT_IDS: Final = ("checkout_id", "checkoutId")
#: Properties that are read of every event, whatever a mapping reads.
READ_PROPERTIES: Final = (*_STATUSES, *_CANCELLED_AT, *_CHECKOUT_IDS, "test")

#: Hosts that no customer reaches: RFC 6761 (localhost, test), RFC 6762 (local), and the loopback addresses.
_TEST_PAGE = re.compile(
    r"https?://(?:[^/?#@]*@)?(?:(?:[^/?#:@]*\.)?(?:localhost|test|local)|127(?:\.\d+){3}|\[::1\])\.?(?::\d*)?(?:[/?#]|$)",
    re.IGNORECASE,
)
_SCHEME = len("https://")
#: Characters of an origin that is remembered.
_MAX_ORIGIN = 100

#: In the list of crawlers, but what apps (`okhttp`, `HttpUrlConnection`) and proxies of the shop's own send.
_NO_CRAWLERS: Final = frozenset({"okhttp", "HttpUrlConnection", "Amazon CloudFront"})
#: Of a user agent that is looked at: crawlers tell who they are sooner.
_MAX_USER_AGENT = 1_000
#: Patterns that are tried as one.
_TOGETHER = 25

_TEST = "a test: %s (TEST_EVENTS=send sends it)"
_CRAWLER = "a crawler: its user agent is on the list (CRAWLERS=send sends it)"


def why_filtered(
    event: Event, sent: Event, settings: BotFilterSettings, *, is_live: bool
) -> tuple[str | None, tuple[str, ...]]:
    """Return why a finished event is withheld, None where it may be sent, and the warnings about one that may.

    `event` is as received, `sent` what was made of it. The sandbox takes tests and crawlers, with a warning.
    """
    reason = _came_to_nothing(event) if sent["event_name"] == "checkout" else None
    if reason:
        return reason, ()
    test = _test(event, sent) if settings.test_events == "withhold" else None
    looks = settings.crawlers == "withhold"
    crawler = _CRAWLER if looks and is_crawler(sent["user_data"].get("client_user_agent")) else None
    if test is None and crawler is None:  # nearly every event
        return None, ()
    if is_live:
        return test or crawler, ()
    return None, tuple(f"{about}; withheld if Pinterest is live" for about in (test, crawler) if about)


def checkout_id_of(event: Event) -> str | None:
    """Return what joins the events of one checkout; None where the event names none. It is no person's address."""
    properties = event.get("properties")
    if type(properties) is dict:
        for name in _CHECKOUT_IDS:
            given = properties.get(name)
            if type(given) in (str, int) and not is_no_id(str(given)):
                return unpersonal_id(str(given).strip())
    return None


def _came_to_nothing(event: Event) -> str | None:
    """Return why the order of a checkout is no sale: it was cancelled, refunded or voided. None where it is one."""
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

    A time before the year 2000, a placeholder and a date that a program could not make say that there is none. All else
    that cannot be read ("yes", "4.3.2026") says that there is one.
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
    """Return what says that an event is a test; None where nothing does."""
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
    """Return whether a user agent is a known crawler's, or that of a browser that nobody sits at.

    >>> is_crawler("Mozilla/5.0 (compatible; Googlebot/2.1)"), is_crawler("Shop/2.1 okhttp/4.12.0")
    (True, False)
    """
    return type(user_agent) is str and _is_crawler(user_agent[:_MAX_USER_AGENT])


@lru_cache(maxsize=8_192)
def _is_crawler(user_agent: str) -> bool:
    return any(pattern.search(user_agent) for pattern in _patterns())


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Return the patterns of the list, some in one: a thousand in one take longer than tried by turns."""
    texts = [each["pattern"] for each in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    texts = [text for text in texts if text not in _NO_CRAWLERS]
    return tuple(re.compile("|".join(texts[at : at + _TOGETHER])) for at in range(0, len(texts), _TOGETHER))
