"""Looks for what is wrong, and tells it to an address that takes Slack's `{"text": "..."}`."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import httpx
from pydantic import SecretStr

from app.config import Settings
from app.core.coordination import Switches
from app.core.events import Outcome
from app.core.log import log_error, logger
from app.core.pages import AccountView
from app.core.shared_values import FEED, OPEN_ALERTS, PINTEREST_VIEWS, RETENTION_BEHIND
from app.core.values.texts import visible
from app.core.values.times import DAY_S, HOUR_S
from app.destination.client import http_client
from app.errors import OutboxUnavailable
from app.insights.alerts.by_name import NAMES_CHANGED, NameReader, by_name
from app.insights.alerts.overall import (
    MOST_DAYS,
    Alert,
    Facts,
    conditions,
    feed_trouble,
    refused_requests,
    retention_trouble,
    tag_doubles,
    unread_reports,
)
from app.insights.refused_requests import read_refused
from app.insights.tag_check import doubles_of
from app.outbox import Outbox
from app.outbox.pairing import PAGE_DIFFERS, PAGE_SENT_TOO
from app.sender.shutdown import MinuteTask
from app.sender.status import read_accounts

#: The first three are escaped alike for Slack, Markdown and HTML. Of the others each has its own escape, or none, so a
#: character that looks alike and means nothing takes their place.
_PLAIN: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'", "*": "\u2217", "~": "\u223c", "|": "\u00a6"}
    | {"[": "(", "]": ")", "@": "\uff20", "#": "\uff03"}
)
#: An underscore within a name, as in `order_completed`, marks nothing.
_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
#: Colons that make a link or an emoji of a text.
_COLON: Final = re.compile(r":(?=//|[\w+'-]*[^\W\d][\w+'-]*:)|(?<=mailto):|(?<=tel):", re.IGNORECASE)


def alert_text(text: str, public_url: str = "") -> str:
    """Return a text as one line in which nothing is markup or a link, but a link to our console at its end.

    Names in alerts come from strangers, and what shows an alert may read markup. Slack reads `<!channel>`,
    `<https://evil.example|our console>`, `*bold*`, `:emoji:`; Teams and Mattermost read Markdown, HTML and `@all`; mail
    reads HTML, and a line end ends its subject.

    Slack: https://docs.slack.dev/messaging/formatting-message-text (escaping text)
    Markdown: https://spec.commonmark.org/0.31.2/

    >>> alert_text("<!channel> [Sale](https://x.example) from web_shop https://p.example/console/a?b=1&c=2")
    '&lt;!channel&gt; (Sale)(https\u2236//x.example) from web_shop https\u2236//p.example/console/a?b=1&amp;c=2'
    >>> alert_text("from web_shop https://p.example/console/a?b=1&c=2", "https://p.example")
    'from web_shop https://p.example/console/a?b=1&amp;c=2'
    """
    told, link = visible(text), ""
    own = re.search(rf"(?<= ){re.escape(public_url)}/console/[a-z/]+\?[\w.%+=&~-]+$", told, re.ASCII)
    if public_url and own:
        told, link = told[: own.start()], own[0].replace("&", "&amp;").replace("~", "%7E")
    return _COLON.sub("\u2236", _UNDERSCORE.sub("\u02cd", told.translate(_PLAIN))) + link


_TEST = "This is a test. Alerts arrive here."


class AlertWebhook:
    """Posts lines. Its URL is a secret: no error tells it."""

    def __init__(self, url: SecretStr, client: httpx.AsyncClient | None = None, *, public_url: str = "") -> None:
        """Take the address; links to the console behind `public_url` stay links, and nothing else becomes one."""
        self._url = url
        self._public_url = public_url
        self._client = client or http_client(10)

    async def post(self, lines: Sequence[str]) -> str:
        """Post one message of these lines; return why it was not taken, "" where it was."""
        try:
            body = {"text": "\n".join(f"Pinrelay: {alert_text(line, self._public_url)}" for line in lines)}
            answer = await self._client.post(self._url.get_secret_value(), json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            why = type(exc).__name__
            logger().error("alert not sent", error=why)
            return f"it cannot be reached ({why})"
        if not answer.is_success:
            logger().error("alert not sent", status=answer.status_code)
            return f"it answered {answer.status_code}"
        return ""

    async def post_test(self) -> str:
        """Post a message that says that it is a test; return why it was not taken, "" where it was."""
        return await self.post([_TEST])

    async def close(self) -> None:
        await self._client.aclose()


class Conditions:
    """Judges what is wrong now, from what the store counts."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        accounts: Sequence[AccountView],
        settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        """Of single names nothing is told where the inventory is switched off: it has old counts only."""
        self._outbox = outbox
        self.accounts = accounts
        self._settings = settings
        self._clock = clock
        self._names = NameReader(outbox.inventory)

    async def holding(self) -> list[Alert]:
        """Return an alert for each condition that holds. Raises OutboxUnavailable."""
        found = conditions(await self._facts())
        if self._settings.inventory_names:
            found += by_name(await self._names.read(self._clock()), self._settings)
        found += feed_trouble(await FEED.read(self._outbox))
        found += tag_doubles(await doubles_of(self._outbox, self._clock()))
        found += refused_requests(await read_refused(self._outbox, now=self._clock()))
        found += retention_trouble(await RETENTION_BEHIND.read(self._outbox), self._clock())
        if self._settings.reads_reports:
            found += unread_reports(await PINTEREST_VIEWS.read_all(self._outbox), self._clock())
        return found

    async def _facts(self) -> Facts:
        now = self._clock()
        hours: defaultdict[int, Counter[str]] = defaultdict(Counter)
        rejected: Counter[tuple[str, int]] = Counter()
        full: set[tuple[str, int]] = set()
        sent_twice = 0
        since = (now // HOUR_S) * HOUR_S - (MOST_DAYS + 1) * DAY_S
        for at, counter in await self._outbox.counters(since=since, step_s=HOUR_S):
            hours[int(at)][counter.name] += counter.count
            if counter.name == "memory_full":
                full.add((counter.source if counter.label else "", int(at)))
            if counter.label in {PAGE_DIFFERS, PAGE_SENT_TOO} and at >= now - DAY_S:
                sent_twice += counter.count
            if counter.name == Outcome.REJECTED:
                rejected[counter.ad_account_id, int(at)] += counter.count
        switches = await Switches.read(self._outbox)
        accounts = await read_accounts(self._outbox, self.accounts, self._settings, switches=switches, now=now)
        return Facts(
            now=now,
            accounts=accounts,
            hours=hours,
            rejected=rejected,
            memory_full=frozenset(full),
            sent_twice=sent_twice,
        )


#: So many looks in a row must fail before an unreadable outbox is told.
OUTBOX_DOWN_LOOKS = 2


class Alerts(MinuteTask):
    """Looks every minute. No trouble ends it: neither the outbox' nor the webhook's."""

    def __init__(self, outbox: Outbox, webhook: AlertWebhook, conditions: Conditions) -> None:
        """Take where to look, whom to tell, and what judges."""
        super().__init__(log_error)
        self._outbox = outbox
        self._webhook = webhook
        self._conditions = conditions
        self._failed_looks = 0

    async def look(self) -> None:
        """Judge the conditions once, and tell what began or cleared since."""
        unavailable: OutboxUnavailable | None = None
        for work in (self._check, self._tell_changes):
            try:
                await work()
            except OutboxUnavailable as exc:
                unavailable = unavailable or exc
        if unavailable:
            self._failed_looks += 1
            if self._failed_looks == OUTBOX_DOWN_LOOKS:
                await self._webhook.post([f"Events are refused with 503. {unavailable}"])
            return
        if self._failed_looks >= OUTBOX_DOWN_LOOKS:
            await self._webhook.post(["Cleared: the outbox stores events again."])
        self._failed_looks = 0

    async def _check(self) -> None:
        await self._outbox.check([each.ad_account_id for each in self._conditions.accounts])

    async def _tell_changes(self) -> None:
        holding = {alert.key: alert.text for alert in await self._conditions.holding()}
        stored = await OPEN_ALERTS.read_revised(self._outbox)
        told = stored.value or {}
        lines = [text for key, text in holding.items() if key not in told]
        over = {key: text for key, text in told.items() if key not in holding}
        lines += [f"Cleared: {text}" for key, text in over.items() if not key.startswith(NAMES_CHANGED)]
        if not lines and not over:
            return
        # A condition that goes on keeps its first text, so that what clears is what was told.
        now_open = {key: told.get(key, text) for key, text in holding.items()}
        revision = await OPEN_ALERTS.write(self._outbox, now_open, revision=stored.revision)
        if revision and lines and await self._webhook.post(lines):  # take it back, so that the next look tries again
            await OPEN_ALERTS.write(self._outbox, told, revision=revision)
