"""Check for problems, and post them to an address that accepts Slack's `{"text": "..."}`."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import httpx
import orjson
from pydantic import SecretStr

from app.config import Settings
from app.config.settings import AlertSettings
from app.core.coordination import Switches
from app.core.deliveries import State
from app.core.events import Outcome
from app.core.log import log_error, logger
from app.core.pages import AccountView
from app.core.shared_values import FEED, INCIDENTS, OPEN_INCIDENTS, PINTEREST_VIEWS, RETENTION_BEHIND, Incident
from app.core.values.texts import visible
from app.core.values.times import DAY_S, HOUR_S, iso_time
from app.destination.client import http_client
from app.errors import OutboxUnavailable
from app.insights.alerts.by_name import NameFacts, NameReader, by_name, events_by_source, expected_events
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
from app.insights.incidents import begin, follow, needs_telling
from app.insights.refused_requests import read_refused
from app.insights.tag_check import doubles_of
from app.outbox import Outbox
from app.outbox.pairing import PAGE_DIFFERS, PAGE_SENT_TOO
from app.sender.shutdown import MinuteTask
from app.sender.status import AccountStatus, read_accounts, waits_long
from app.source.signatures import standard_signature

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
    own = _own_link(told, public_url)
    if public_url and own:
        told, link = told[: own.start()], own[0].replace("&", "&amp;").replace("~", "%7E")
    return _COLON.sub("\u2236", _UNDERSCORE.sub("\u02cd", told.translate(_PLAIN))) + link


#: The alert of a test.
_TEST: Final = Alert(key="test", text="This is a test. Alerts arrive here.")


class AlertWebhook:
    """Posts incidents to a webhook. The URL is a secret, so no error contains it."""

    def __init__(
        self, settings: AlertSettings, client: httpx.AsyncClient | None = None, *, clock: Callable[[], float]
    ) -> None:
        """Use the address and the format of the settings, which have an address."""
        self._url = settings.alert_webhook_url or SecretStr("")
        self._public_url = settings.base_url
        self._secret = settings.alert_webhook_secret if settings.alert_format == "json" else None
        self._client = client or http_client(10)
        self._clock = clock

    @classmethod
    def of(cls, settings: AlertSettings, clock: Callable[[], float]) -> "AlertWebhook | None":
        """Return the webhook of the settings; `None` without an address."""
        return cls(settings, clock=clock) if settings.alert_webhook_url else None

    async def post(self, incidents: Sequence[Incident]) -> str:
        """Post the state of incidents: one message in Slack's format, or a signed one for each.

        Return the error, "" on success. After an error, post all again: a message keeps its id.
        """
        if self._secret is None:
            return await self._send(orjson.dumps({"text": "\n".join(map(self._line, incidents))}), {})
        for incident in incidents:
            body, message_id, at = self._body(incident), f"{incident.id}.{incident.state}", int(self._clock())
            signature = standard_signature(self._secret.get_secret_value().encode(), message_id, at, body)
            signed = {"webhook-id": message_id, "webhook-timestamp": f"{at}", "webhook-signature": signature}
            if why := await self._send(body, signed):
                return why
        return ""

    async def _send(self, body: bytes, headers: Mapping[str, str]) -> str:
        headers = {"content-type": "application/json", **headers}
        try:
            answer = await self._client.post(self._url.get_secret_value(), content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            why = type(exc).__name__
            logger().error("alert not sent", error=why)
            return f"it cannot be reached ({why})"
        if not answer.is_success:
            logger().error("alert not sent", status=answer.status_code)
            return f"it answered {answer.status_code}"
        return ""

    def _line(self, incident: Incident) -> str:
        over = "" if incident.until is None else "Cleared: "
        return f"Pinrelay: {alert_text(over + incident.text, self._public_url)}"

    def _body(self, incident: Incident) -> bytes:
        """Return an incident as JSON, in which the link is apart from the text."""
        text, link = incident.text, f"{self._public_url}/console#part-incidents" if self._public_url else None
        if self._public_url and (own := _own_link(text, self._public_url)):
            text, link = text[: own.start()].rstrip(), own[0]
        return orjson.dumps(
            {
                "type": f"incident.{incident.state}",
                "id": incident.id,
                "state": incident.state,
                "kind": incident.kind,
                "severity": incident.severity,
                "text": visible(text),
                "account": incident.ad_account_id or None,
                "source": incident.source or None,
                "since": iso_time(incident.since),
                "until": None if incident.until is None else iso_time(incident.until),
                "events": incident.events,
                "money": dict(incident.money),
                "link": link,
            }
        )

    async def post_test(self) -> str:
        """Post a message that is marked as a test; return the error, "" on success."""
        return await self.post([begin(_TEST, self._clock())])

    async def close(self) -> None:
        await self._client.aclose()


def _own_link(text: str, public_url: str) -> re.Match[str] | None:
    """Return the link to our console at the end of a text."""
    return re.search(rf"(?<= ){re.escape(public_url)}/console/[a-z/]+\?[\w.%+=&~-]+$", text, re.ASCII)


#: Deliveries that wait were received in the last days.
_WAITS_DAYS: Final = 8


async def waiting_money(outbox: Outbox, accounts: Sequence[AccountStatus], now: float) -> dict[str, dict[str, Decimal]]:
    """Return the value of waiting deliveries by ad account and currency; {} if no account has a problem."""
    found: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    if any(each.problems or waits_long(each.backlog, now) for each in accounts):
        today = int(now // DAY_S)
        for row in await outbox.revenue(first_day=today - _WAITS_DAYS + 1, last_day=today):
            if row.became == "waiting" and row.amount:
                of_account = found[row.ad_account_id]
                of_account[row.currency] = of_account.get(row.currency, Decimal(0)) + row.amount
    return found


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
        self.clock = clock
        self._names = NameReader(outbox.inventory)

    async def holding(self) -> list[Alert]:
        """Return an alert for each active condition. Raises OutboxUnavailable."""
        found = conditions(await self._facts())
        if self._settings.inventory_names:
            names = await self._names.read(self.clock())
            found += [await self._with_money(each, names) for each in by_name(names, self._settings)]
        found += feed_trouble(await FEED.read(self._outbox))
        found += tag_doubles(await doubles_of(self._outbox, self.clock()))
        found += refused_requests(await read_refused(self._outbox, now=self.clock()))
        found += retention_trouble(await RETENTION_BEHIND.read(self._outbox), self.clock())
        if self._settings.reads_reports:
            found += unread_reports(await PINTEREST_VIEWS.read_all(self._outbox), self.clock())
        return found

    async def _with_money(self, alert: Alert, names: NameFacts) -> Alert:
        """Return the alert of a silent source with the usual value of the missing events."""
        if not alert.key.startswith("silence"):
            return alert
        return replace(alert, money=await self._usual_money(alert.events or 0, names, alert.source))

    async def missing(self, since: float, until: float) -> dict[str, Any]:
        """Return how many events usually arrive in this time, and their usual value. Raises OutboxUnavailable."""
        names = await self._names.read(until)
        every: Counter[int] = Counter()
        for hours in events_by_source(names.history).values():
            every.update(hours)
        expected = expected_events(every, since, until)
        if expected is None:
            return {}
        money = await self._usual_money(round(expected), names)
        return {"events": round(expected), "money": {currency: str(amount) for currency, amount in money.items()}}

    async def _usual_money(self, events: int, names: NameFacts, source: str = "") -> dict[str, Decimal]:
        """Return the mean value of so many events by currency, from the revenue of the last seven full days."""
        today = int(names.now // DAY_S)
        received = sum(
            count
            for name, hours in events_by_source(names.history).items()
            for at, count in hours.items()
            if source in ("", name) and today - MOST_DAYS <= at // DAY_S < today
        )
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for row in await self._outbox.revenue(first_day=today - MOST_DAYS, last_day=today - 1):
            if source in ("", row.source) and row.became == State.DELIVERED:
                sums[row.currency] += row.amount
        return {name: round(sum_ * events / received, 2) for name, sum_ in sums.items() if received}

    async def _facts(self) -> Facts:
        now = self.clock()
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
            waiting_money=await waiting_money(self._outbox, accounts, now),
        )


#: An unavailable outbox is an incident after so many failed looks in a row.
OUTBOX_DOWN_LOOKS = 2
#: The key of the incident.
OUTBOX: Final = "outbox"


class Alerts(MinuteTask):
    """Records incidents every minute, and posts their begin and end. No error of outbox or webhook ends the task."""

    def __init__(self, outbox: Outbox, webhook: AlertWebhook | None, conditions: Conditions) -> None:
        """Without a webhook, incidents are only recorded."""
        super().__init__(log_error)
        self._outbox = outbox
        self._webhook = webhook
        self._conditions = conditions
        self._failed_looks = 0
        #: Since the outbox is unavailable, Unix seconds; 0: it is available.
        self._down_since = 0.0
        #: The incident of an unavailable outbox, until its end is recorded.
        self._down: Incident | None = None
        self._is_first = True

    async def look(self) -> None:
        """Judge the conditions once; record and post incidents that began or ended."""
        down = ""
        try:
            await self._outbox.check([each.ad_account_id for each in self._conditions.accounts])
        except OutboxUnavailable as exc:
            down = str(exc)
        try:
            await self._follow(is_down=bool(down))
        except OutboxUnavailable as exc:
            down = down or str(exc)
        if not down:
            self._failed_looks = 0
            return
        self._failed_looks += 1
        if self._failed_looks == 1:
            self._down_since = self._conditions.clock()
        await self._note_down(down)

    async def _note_down(self, why: str) -> None:
        """Post that no event is stored, and record it if the outbox can be written."""
        if self._failed_looks == OUTBOX_DOWN_LOOKS:
            alert = Alert(key=OUTBOX, text=f"Events are refused with 503. {why}", since=self._down_since)
            down = begin(alert, self._down_since)
            is_told = self._webhook is not None and not await self._webhook.post([down])
            self._down = replace(down, told="firing" if is_told else "")
        if self._down:
            with suppress(OutboxUnavailable):
                await INCIDENTS.of(self._down.id).write(self._outbox, self._down)

    async def _follow(self, *, is_down: bool) -> None:
        now = self._conditions.clock()
        holding = await self._conditions.holding()
        stored = await OPEN_INCIDENTS.read_revised(self._outbox)
        before = follow(stored.value or {}, holding, now)
        if not is_down:
            before |= await self._ended_outages(now)
        for each in before.values():
            if each.until is not None:
                await INCIDENTS.of(each.id).write(self._outbox, each)
        untold = [each for each in before.values() if needs_telling(each)] if self._webhook else []
        after = before | {each.id: replace(each, told=each.state) for each in untold}
        is_told = {each.id for each in after.values() if not needs_telling(each)} if self._webhook else set(after)
        kept = {name: each for name, each in after.items() if each.until is None or name not in is_told}
        revision: int | None = stored.revision
        if kept != (stored.value or {}):
            revision = await OPEN_INCIDENTS.write(self._outbox, kept, revision=stored.revision)
        if revision is None:  # another process has recorded it
            return
        if not is_down:
            self._down, self._is_first = None, False
        if self._webhook and untold and await self._webhook.post(untold):
            # The next look tries again.
            await OPEN_INCIDENTS.write(self._outbox, before, revision=revision)

    async def _ended_outages(self, now: float) -> dict[str, Incident]:
        """Return the outages of the outbox that are over now: of this process, and of one that ended during it."""
        ended = [self._down] if self._down else []
        if self._is_first:
            ended += [each for each in (await INCIDENTS.read_all(self._outbox)).values() if each.until is None]
        return {each.id: replace(each, until=now, **await self._conditions.missing(each.since, now)) for each in ended}
