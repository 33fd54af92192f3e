"""The page of an order: whether it reached Pinterest, with its value or the reason; and its history."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.console.labels import time_span, worth
from app.console.pages import PageGroup
from app.core.deliveries import Delivery, State
from app.core.events import Outcome
from app.core.pages import AccountView
from app.insights.orders.one_order import OrderStory, read_order
from app.outbox.search import merged_delivery

#: Texts for events without a delivery, between the order and the ad account; the best first.
_NOT_SENT: Final[Mapping[Outcome, str]] = {
    Outcome.WITHDRAWN: "was withdrawn before it was sent to",
    Outcome.WITHHELD: "was withheld from",
    Outcome.INVALID: "could not be sent to",
    Outcome.REFUSED: "could not be read for",
    Outcome.DUPLICATE: "was sent before to",
    Outcome.MERGED: "was merged with an event that is no longer stored for",
    Outcome.MATCHED: "was cancelled for",
    Outcome.UNMATCHED: "matched no preset, so it was not sent to",
}
#: Labels of steps on the timeline.
STEPS: Final[Mapping[str, str]] = {
    "placed": "The order was placed",
    Outcome.ENQUEUED: "Received, to be sent",
    Outcome.MERGED: "Received, and merged into the same delivery",
    Outcome.DUPLICATE: "Received again: a duplicate",
    Outcome.WITHHELD: "Withheld",
    Outcome.INVALID: "Not sent: Pinterest would refuse it",
    Outcome.REFUSED: "Not read",
    Outcome.UNMATCHED: "Matched no preset",
    Outcome.MATCHED: "The order was cancelled",
    Outcome.WITHDRAWN: "Withdrawn before it was sent",
    Outcome.DELIVERED: "Sent, and Pinterest accepted it",
    Outcome.RETRY: "Sent, and to be tried again",
    Outcome.REJECTED: "Sent, and Pinterest refused it",
    Outcome.BLOCKED: "Not sent: Pinterest refuses the ad account",
    State.DISMISSED: "Dismissed",
    "again": "Put back to be sent again",
    "due": "Next try",
    "held": "Leaves then at the latest, unless it is cancelled before",
}
#: Colours of steps and states.
KINDS: Final[Mapping[str, str]] = {
    Outcome.DELIVERED: "good",
    Outcome.REJECTED: "bad",
    Outcome.INVALID: "bad",
    Outcome.REFUSED: "bad",
    Outcome.BLOCKED: "bad",
    Outcome.WITHHELD: "warn",
    Outcome.WITHDRAWN: "warn",
    Outcome.MATCHED: "warn",
    Outcome.RETRY: "warn",
    Outcome.UNMATCHED: "warn",
    State.DISMISSED: "warn",
}
_BEST_FIRST: Final = (State.DELIVERED, State.CLAIMED, State.PENDING, State.DEAD, State.DISMISSED)


class OrderPages(PageGroup):
    """The page of an order."""

    async def show(self, request: Request) -> Response:
        """Show an order under any name that a shop uses for it."""
        services, name = self._services, request.path_params["order_id"]
        story = await read_order(services.outbox, name, lambda source: services.traits_of(source).shop)
        if story is None:
            text = (
                f"Nothing is stored of an order {name}. Events that name an order are kept for "
                "RETENTION_DAYS (`other`; `delivered` for delivered events). If the shop has the order, its event "
                "has not arrived."
            )
            return self._pages.problem(request, 404, "No such order", text)
        accounts, placing = _accounts(story, services.accounts), story.placing
        verdict = [f"Nothing says that order {name} was placed: events that only name it arrived."]
        if placing:
            verdict = [sentence(name, placing, accounts), *_others(placing, accounts)]
        return self._pages.render(
            request,
            "order.html",
            nav="deliveries",
            name=name,
            story=story,
            words=STEPS,
            kinds=KINDS,
            verdict=verdict,
            level=_level(placing) if placing else "warn",
            steps=story.steps,
            trusted={each.message_id: each.is_trusted for each in story.deliveries},
        )


def sentence(name: str, story: OrderStory, accounts: Sequence[AccountView]) -> str:
    """Return whether an order reached Pinterest, with its value or the reason, in a single sentence.

    Ad accounts without events of the order are omitted.
    """
    asked = [told for account in accounts if (told := _of_account(story, account))]
    if not asked:
        event = story.dropped[-1][1]
        asked = [_because(f"{_NOT_SENT[event.outcome]} Pinterest", event.reason)]
    value = _worth(story)
    return f"Order {name}{f', {value},' if value else ''} {'; it '.join(asked)}."


def _accounts(story: OrderStory, known: Sequence[AccountView]) -> list[AccountView]:
    """Return all ad accounts, including those of deliveries without a current destination."""
    ids = {each.ad_account_id for each in known}
    gone = sorted({each.ad_account_id for each in story.deliveries} - ids)
    return [*known, *(AccountView(ad_account_id=id_, name=id_, live=True) for id_ in gone)]


def _others(story: OrderStory, accounts: Sequence[AccountView]) -> list[str]:
    left = [account.shown for account in accounts if not _of_account(story, account)]
    if not left or len(left) == len(accounts):
        return []
    return [f"{_listed(left)} {'was' if len(left) == 1 else 'were'} not asked for it."]


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _of_account(story: OrderStory, account: AccountView) -> str:
    """Return the result of an order for an ad account, as a text after "it"; "" without events of the order."""
    where = account.name or ("Pinterest" if account.live else "the sandbox")
    deliveries = [each for each in story.deliveries if each.ad_account_id == account.ad_account_id]
    if deliveries:
        best = min(deliveries, key=lambda each: _BEST_FIRST.index(each.state))
        return _of_delivery(best, where) + _merged(best, story)
    dropped = [event for _, event in story.dropped if event.ad_account_id == account.ad_account_id]
    order = tuple(_NOT_SENT)
    best_event = min(dropped, key=lambda event: order.index(event.outcome), default=None)
    return _because(f"{_NOT_SENT[best_event.outcome]} {where}", best_event.reason) if best_event else ""


def _of_delivery(delivery: Delivery, where: str) -> str:
    if delivery.state is State.DELIVERED:
        took_s = (delivery.settled_at or 0) - delivery.event_time
        return f"reached {where} {time_span(took_s)} after it was placed"
    said = {
        State.DEAD: f"did not reach {where}",
        State.DISMISSED: f"was dismissed and does not reach {where}",
        State.CLAIMED: f"is being sent to {where}",
        State.PENDING: f"waits to be sent to {where}",
    }
    return _because(said[delivery.state], delivery.reason)


def _merged(delivery: Delivery, story: OrderStory) -> str:
    merged = [event.source for _, event in story.dropped if merged_delivery(event) == delivery.delivery_id]
    sources = list(dict.fromkeys([delivery.source, *merged]))
    return f", merged from {_listed(sources)}" if merged and len(sources) > 1 else ""


def _because(said: str, reason: str) -> str:
    return f"{said}: {reason.rstrip('.')}" if reason else said


def _worth(story: OrderStory) -> str:
    """Return the value of an order as sent, without duplicates."""
    sent = [(each.amount, each.currency) for each in story.deliveries]
    noted = [(event.amount, event.currency) for _, event in story.dropped]
    return " and ".join(dict.fromkeys(worth(each) for each in sent or noted if each[0]))


def _level(story: OrderStory) -> str:
    states = {each.state for each in story.deliveries}
    if State.DEAD in states:
        return "bad"
    if states & {State.PENDING, State.CLAIMED}:
        return "idle"
    return "good" if states == {State.DELIVERED} else "warn"
