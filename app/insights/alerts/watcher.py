"""Check for problems, and post them to an address that accepts Slack's `{"text": "..."}`."""

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

#: The first three characters have the same escapes in Slack, Markdown and HTML. The others have different escapes or
#: none, so they are replaced with similar characters without a meaning.
_PLAIN: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'", "*": "\u2217", "~": "\u223c", "|": "\u00a6"}
    | {"[": "(", "]": ")", "@": "\uff20", "#": "\uff03"}
)
#: An underscore inside a name, as in `order_completed`, is not markup.
_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
#: Colons that turn a text into a link or an emoji.
_COLON: Final = re.compile(r":(?=//|[\w+'-]*[^\W\d][\w+'-]*:)|(?<=mailto):|(?<=tel):", re.IGNORECASE)


def alert_text(text: str, public_url: str = "") -> str:
    """Return a text as a line without markup and links, except a link to this console at its end.

    Names in alerts come from strangers, and the receiver of an alert may interpret markup. Slack reads `<!channel>`,
    `<https://evil.example|our console>`, `*bold*`, `:emoji:`; Teams and Mattermost read Markdown, HTML and `@all`; mail
    reads HTML, and a line end ends its subject.

    Slack: https://docs.slack.dev/messaging/formatting-message-text (escaping text)
    Markdown: https://spec.commonmark.org/0.31.2/

    >>> alert_text("<!channel> [Sale](https://x.example) from web_shop https://p.example/console/a?b=1&c=2")
    '&lt;!channel&gt; (Sale)(https∶//x.example) from web_shop https∶//p.example/console/a?b=1&amp;c=2'
    >>> alert_text("from web_shop https://p.example/console/a?b=1&c=2", "https://p.example")
    'from web_shop https://p.example/console/a?b=1&amp;c=2'
    """  # noqa: RUF002 - as it is shown
    told, link = visible(text), ""
    own = re.search(rf"(?<= ){re.escape(public_url)}/console/[a-z/]+\?[\w.%+=&~-]+$", told, re.ASCII)
    if public_url and own:
        told, link = told[: own.start()], own[0].replace("&", "&amp;").replace("~", "%7E")
    return _COLON.sub("\u2236", _UNDERSCORE.sub("\u02cd", told.translate(_PLAIN))) + link


_TEST = "This is a test. Alerts arrive here."


class AlertWebhook:
    """Posts lines to a webhook. The URL is a secret, so no error contains it."""

    def __init__(self, url: SecretStr, client: httpx.AsyncClient | None = None, *, public_url: str = "") -> None:
        """Use the address; links to the console at `public_url` stay links, and no other text becomes a link."""
        self._url = url
        self._public_url = public_url
        self._client = client or http_client(10)

    async def post(self, lines: Sequence[str]) -> str:
        """Post a message with these lines; return the error, "" on success."""
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
        """Post a message that is marked as a test; return the error, "" on success."""
        return await self.post([_TEST])

    async def close(self) -> None:
        await self._client.aclose()


class Conditions:
    """Evaluates the alert conditions from the counts in the store."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        accounts: Sequence[AccountView],
        settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        """Use the settings; with the inventory off there are no alerts about names, because its counts are old."""
        self._outbox = outbox
        self.accounts = accounts
        self._settings = settings
        self._clock = clock
        self._names = NameReader(outbox.inventory)

    async def holding(self) -> list[Alert]:
        """Return an alert for each active condition. Raises OutboxUnavailable."""
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


#: The number of consecutive failed checks before an unreadable outbox is reported.
OUTBOX_DOWN_LOOKS = 2


class Alerts(MinuteTask):
    """Checks the conditions every minute. Errors of the outbox or the webhook do not stop it."""

    def __init__(self, outbox: Outbox, webhook: AlertWebhook, conditions: Conditions) -> None:
        """Use the outbox, the webhook, and the conditions."""
        super().__init__(log_error)
        self._outbox = outbox
        self._webhook = webhook
        self._conditions = conditions
        self._failed_looks = 0

    async def look(self) -> None:
        """Check the conditions once, and report those that began or cleared."""
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
        # An active condition keeps its first text, so that the cleared text equals the reported text.
        now_open = {key: told.get(key, text) for key, text in holding.items()}
        revision = await OPEN_ALERTS.write(self._outbox, now_open, revision=stored.revision)
        if revision and lines and await self._webhook.post(lines):  # revert, so that the next check tries again
            await OPEN_ALERTS.write(self._outbox, told, revision=revision)
