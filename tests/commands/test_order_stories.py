"""One order, told by the page and by the shop: stories whose ends are written by hand, after the rules of the docs."""

import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from tests.commands.conftest import Run

START = "2026-03-01T09:00:00Z"
CLICK = "dj0yJnU9page"
DAY_S = 86_400


def page(
    at: float, order_id: str | None = "O-1", *, tag: str | None = None, ago_s: float = 0, **properties: Any
) -> Any:
    """Return a step: the page tells of an order."""
    return _step(at, "public", order_id, {"event_id": tag} if tag else {}, ago_s, properties, CLICK)


def shop(at: float, order_id: str | None = "O-1", *, ago_s: float = 0, **properties: Any) -> Any:
    """Return a step: the shop tells of an order."""
    return _step(at, "trusted", order_id, {}, ago_s, properties, None)


def _step(
    at: float,
    trust: str,
    order_id: str | None,
    own: dict[str, Any],
    ago_s: float,
    properties: dict[str, Any],
    click: str | None,
) -> Any:
    source = properties.pop("source", "web" if trust == "public" else "shop")
    sender = {"trust": trust, "source": source, "shop": properties.pop("of_shop", "")}
    message_id = properties.pop("message_id", f"{source}-{at:g}")
    context: dict[str, Any] = {"ip": "203.0.113.1", "userAgent": f"Mozilla/5.0 {trust}"}
    context |= {"page": {"url": f"https://shop.example/thanks?epik={click}"}} if click else {}
    context |= {"traits": {"email": "ada@example.com"}} if trust == "trusted" else {}
    named = {"order_id": order_id} if order_id else {}
    event = {"type": "track", "event": "Order Completed", "messageId": message_id, "context": context}
    told = event | {"properties": {"currency": "USD"} | own | named | properties}
    return {"at": at, "sender": sender, "event": told, "ago_s": ago_s}


class Sent(NamedTuple):
    """What is sent of an order."""

    at: float
    value: str | None
    #: None: any but the ids of the messages.
    event_id: str | None
    #: `p`: the page's click id, `s`: the shop's buyer.
    of: str = "ps"
    currency: str = "USD"
    order_id: str | None = "O-1"


class Case(NamedTuple):
    """A story and its end."""

    name: str
    steps: list[Any]
    sent: list[Sent]
    outcomes: str
    settings: dict[str, Any] = {}  # noqa: RUF012 - no case changes it


WITHHOLD = {"UNCONFIRMED_ORDERS": "withhold", "QUARANTINE_HOURS": "24", "QUARANTINE_KEY": "q" * 32}
E, M, D = "enqueued", "merged", "duplicate"
CASES = [
    # No wait, or only one.
    Case(
        "no wait: the page's goes, the shop's is a duplicate",
        [page(0, total=249), shop(60, total=249)],
        [Sent(0, "249", "web-0", "p")],
        f"{E} {D}",
        {"ORDER_WAIT_MINUTES": "0"},
    ),
    Case(
        "no wait: the shop's goes, the page's is a duplicate",
        [shop(0, total=249), page(60, total=249)],
        [Sent(0, "249", "shop-0", "s")],
        f"{E} {D}",
        {"ORDER_WAIT_MINUTES": "0"},
    ),
    Case(
        "no wait: a claim goes, the shop's goes too",
        [page(0, total=0.01), shop(60, total=249)],
        [Sent(0, "0.01", "web-0", "p"), Sent(60, "249", "shop-60", "s")],
        f"{E} {E}",
        {"ORDER_WAIT_MINUTES": "0"},
    ),
    Case(
        "the wait is as long as the setting says",
        [shop(0, "O-0", total=1), page(10, total=249)],
        [Sent(100, "249", "web-10", "p")],
        f"{E} {E}",
        {"ORDER_WAIT_MINUTES": "1.5"},
    ),
    # Whose event id.
    Case(
        "the tag has the message id",
        [page(0, total=249), shop(60, total=249)],
        [Sent(60, "249", "web-0")],
        f"{E} {M}",
        {"TAG_EVENT_ID": "message_id"},
    ),
    Case(
        "the tag has the message id, the shop first",
        [shop(0, total=249), page(60, total=249)],
        [Sent(60, "249", "web-60")],
        f"{E} {M}",
        {"TAG_EVENT_ID": "message_id"},
    ),
    Case(
        "of two events of the page the newer names its id",
        [page(0, total=9), page(5, total=9, tag="t"), shop(60, total=9)],
        [Sent(60, "9", "t")],
        f"{E} {M} {M}",
    ),
    Case(
        "of two events of the page the older names its id",
        [page(0, total=9, tag="t"), page(5, total=9), shop(60, total=9)],
        [Sent(60, "9", "t")],
        f"{E} {M} {M}",
    ),
    Case(
        "both name ids: the newer's",
        [page(0, total=9, tag="t"), page(5, total=9, tag="u"), shop(60, total=9)],
        [Sent(60, "9", "u")],
        f"{E} {M} {M}",
    ),
    # What binds.
    Case(
        "yen have no cents",
        [page(0, total=5000, currency="JPY"), shop(60, subtotal=4500, tax=500, currency="JPY")],
        [Sent(60, "4500", "shop-60", currency="JPY")],
        f"{E} {M}",
    ),
    Case(
        "dinars have thousandths",
        [page(0, total="12.345", currency="KWD"), shop(60, total=12.345, currency="KWD")],
        [Sent(60, "12.345", "shop-60", currency="KWD")],
        f"{E} {M}",
    ),
    Case(
        "a thousandth of a dinar apart",
        [page(0, total="12.346", currency="KWD"), shop(60, total="12.345", currency="KWD")],
        [Sent(660, "12.345", "shop-60", "s", "KWD")],
        f"{E} {E}",
    ),
    Case("a cent apart", [page(0, total=100.01), shop(60, total=100)], [Sent(660, "100", "shop-60", "s")], f"{E} {E}"),
    Case(
        "as floats add up",
        [page(0, total=0.3), shop(60, subtotal=0.1, tax=0.2)],
        [Sent(60, "0.1", "shop-60")],
        f"{E} {M}",
    ),
    Case("an order for nothing", [page(0, total=0), shop(60, total=0)], [Sent(60, "0", "shop-60")], f"{E} {M}"),
    Case(
        "a claim over nothing",
        [page(0, total=0), shop(60, total=20, discount=20)],
        [Sent(660, "20", "shop-60", "s")],
        f"{E} {E}",
    ),
    Case(
        "the page writes its own currency",
        [page(0, total="249,00 €", currency="USD"), shop(60, total=249, currency="EUR")],
        [Sent(60, "249", "shop-60", currency="EUR")],
        f"{E} {M}",
    ),
    Case(
        "the page's revenue is the total without tax",
        [page(0, revenue=100), shop(60, total=119, tax=19)],
        [Sent(60, "100", "shop-60")],
        f"{E} {M}",
    ),
    Case(
        "the page's value",
        [page(0, total="n/a", value=119), shop(60, total=119, tax=19, shipping=0)],
        [Sent(60, "100", "shop-60")],
        f"{E} {M}",
    ),
    Case(
        "what the customer saw in another currency",
        [
            page(0, total=54, currency="EUR"),
            shop(
                60,
                total_price="59.00",
                total_price_set={
                    "shop_money": {"amount": "59.00", "currency_code": "USD"},
                    "presentment_money": {"amount": "54.00", "currency_code": "EUR"},
                },
            ),
        ],
        [Sent(60, "59", "shop-60")],
        f"{E} {M}",
    ),
    Case(
        "a token binds whatever the page's total",
        [page(0, total=1, checkout_token="t"), shop(60, total=249, checkout_token="t")],
        [Sent(60, "249", "shop-60")],
        f"{E} {M}",
    ),
    Case(
        "a token binds two order ids",
        [page(0, "W-9", checkout_token="t"), shop(60, total=249, checkout_token="t")],
        [Sent(60, "249", "shop-60")],
        f"{E} {M}",
    ),
    Case(
        "a token binds without an order id",
        [page(0, None, total=249, checkout={"token": "t"}), shop(60, total=249, checkout_token="t")],
        [Sent(60, "249", "shop-60")],
        f"{E} {M}",
    ),
    Case(
        "the shop's token first",
        [shop(0, total=249, checkout_token="t"), page(60, None, checkout_token="t", tag="t")],
        [Sent(60, "249", "t")],
        f"{E} {M}",
    ),
    Case(
        "other tokens, the shop first",
        [shop(0, total=249, checkout_token="t"), page(60, total=249, checkout_token="u")],
        [Sent(600, "249", "shop-0", "s")],
        f"{E} {D}",
    ),
    Case(
        "the id of a checkout is no token",
        [page(0, total=1, checkout_id="c"), shop(60, total=249, checkout_id="c")],
        [Sent(660, "249", "shop-60", "s")],
        f"{E} {E}",
    ),
    Case(
        "a number sign",
        [page(0, "#1001", total=249), shop(60, "1001", total=249)],
        [Sent(60, "249", "shop-60", order_id="1001")],
        f"{E} {M}",
    ),
    # Claims.
    Case(
        "a claim, the shop, then the page",
        [page(0, total=0.01, tag="x"), shop(60, total=249), page(90, total=249, tag="t")],
        [Sent(90, "249", "t")],
        f"{E} {E} {M}",
    ),
    Case(
        "twenty claims wait, and the newest is the shop's",
        [*(page(at, total=at + 1) for at in range(22)), shop(60, total=22)],
        [Sent(60, "22", "shop-60")],
        " ".join([E] * 22 + [M]),
    ),
    Case(
        "the oldest claims give way to newer ones",
        [*(page(at, total=at + 1) for at in range(22)), shop(60, total=2)],
        [Sent(660, "2", "shop-60", "s")],
        " ".join([E] * 23),
    ),
    Case(
        "the shop's event id in the page's hands",
        [page(0, "O-2", total=1, tag="shop-60"), shop(60, total=249)],
        [Sent(660, "249", "shop-60", "s")],
        f"{E} {E}",
    ),
    Case(
        "the shop's event id left with another order",
        [page(0, "O-2", total=1, tag="shop-3000"), shop(3000, total=249)],
        [Sent(600, "1", "shop-3000", "p", order_id="O-2"), Sent(3600, "249", None, "s")],
        f"{E} {E}",
    ),
    Case(
        "the page knows the shop's event id too late",
        [shop(0, total=249), page(60, "O-2", total=1, tag="shop-0")],
        [Sent(600, "249", "shop-0", "s")],
        f"{E} {D}",
    ),
    Case(
        "the page again when both were sent",
        [page(0, total=0.01, tag="x"), shop(1000, total=249), page(2000, total=249, tag="t")],
        [Sent(600, "0.01", "x", "p"), Sent(1600, "249", "shop-1000", "s")],
        f"{E} {E} {D}",
    ),
    Case(
        "the shop repeats itself",
        [shop(0, total=249), shop(5, total=249), page(60, total=249, tag="t")],
        [Sent(60, "249", "t")],
        f"{E} {D} {M}",
    ),
    Case(
        "the shop repeats itself after the page",
        [shop(0, total=249), page(60, total=249, tag="t"), shop(5000, total=249)],
        [Sent(60, "249", "t")],
        f"{E} {M} {D}",
    ),
    Case(
        "the page repeats itself after the shop",
        [page(0, total=249, tag="t"), shop(60, total=249), page(90, total=249, tag="t")],
        [Sent(60, "249", "t")],
        f"{E} {M} {D}",
    ),
    # What one event names of several orders.
    Case(
        "the token of one order with the id of another",
        [
            shop(0, "A", total=100, checkout_token="a"),
            page(10, "B", total=5, checkout_token="a"),
            shop(20, "B", total=5),
        ],
        [Sent(10, "100", "shop-0", order_id="A"), Sent(620, "5", "shop-20", "s", order_id="B")],
        f"{E} {M} {E}",
    ),
    Case(
        "that does not keep the other order's page from its shop",
        [
            shop(0, "A", total=100, checkout_token="a"),
            page(10, "B", total=5, checkout_token="a"),
            page(20, "B", total=5, tag="t"),
            shop(30, "B", total=5),
        ],
        [Sent(10, "100", "shop-0", order_id="A"), Sent(30, "5", "t", order_id="B")],
        f"{E} {M} {E} {M}",
    ),
    Case(
        "nor where the page comes first",
        [
            page(0, "B", total=5, checkout_token="a"),
            shop(10, "A", total=100, checkout_token="a"),
            page(20, "B", total=5, tag="t"),
            shop(30, "B", total=5),
        ],
        [Sent(10, "100", "shop-10", order_id="A"), Sent(30, "5", "t", order_id="B")],
        f"{E} {M} {E} {M}",
    ),
    Case(
        "merged, the shop's id gives way where it left with another order",
        [page(0, "X", total=1, tag="shop-3000"), page(2990, total=249), shop(3000, total=249)],
        [Sent(600, "1", "shop-3000", "p", order_id="X"), Sent(3000, "249", None)],
        f"{E} {E} {M}",
    ),
    Case(
        "a copy of an event names another order",
        [page(0, "X", total=1, tag="x"), page(700, total=249, tag="x"), shop(800, total=249)],
        [Sent(600, "1", "x", "p", order_id="X"), Sent(1400, "249", "shop-800", "s")],
        f"{E} {D} {E}",
    ),
    Case(
        "two orders of the page with one event id",
        [shop(0, total=5), page(5, "X", total=9, tag="t"), page(10, total=5, tag="t")],
        [Sent(10, "5", "t")],
        f"{E} {E} {M}",
    ),
    # What never waits.
    Case(
        "an order without id and token",
        [page(0, None, total=249), shop(60, total=249)],
        [Sent(0, "249", "web-0", "p", order_id=None), Sent(660, "249", "shop-60", "s")],
        f"{E} {E}",
    ),
    Case(
        "a sale at the till",
        [page(0, "O-2", total=1), shop(60, total=249, source_name="pos")],
        [Sent(60, "249", "shop-60", "s"), Sent(600, "1", "web-0", "p", order_id="O-2")],
        f"{E} {E}",
    ),
    Case(
        "a draft of the shop's staff that the page confirms",
        [page(0, total=249, tag="t"), shop(60, total=249, source_name="shopify_draft_order")],
        [Sent(60, "249", "t")],
        f"{E} {M}",
    ),
    Case(
        "an order of 50 minutes ago from the shop",
        [page(0, "O-0", total=1), shop(60, total=249, ago_s=3000)],
        [Sent(360, "249", "shop-60", "s"), Sent(600, "1", "web-0", "p", order_id="O-0")],
        f"{E} {E}",
    ),
    Case(
        "a shop that was silent for a month",
        [shop(0, "O-0", total=1), page(31 * DAY_S, total=249)],
        [Sent(31 * DAY_S, "249", f"web-{31 * DAY_S:g}", "p")],
        f"{E} {E}",
    ),
    Case(
        "two shops of one account",
        [page(0, total=249, of_shop="Berlin"), shop(60, total=249, of_shop="Paris")],
        [Sent(0, "249", "web-0", "p"), Sent(60, "249", "shop-60", "s")],
        f"{E} {E}",
    ),
    Case(
        "one shop by its name",
        [page(0, total=249, of_shop="Berlin"), shop(60, total=249, of_shop="Berlin")],
        [Sent(60, "249", "shop-60")],
        f"{E} {M}",
    ),
    # What becomes of what is alone.
    Case(
        "of claims behind one that another order of the shop took the id of, one is sent",
        [
            page(0, total=1, tag="shop-50"),
            page(10, total=2),
            page(20, total=3),
            page(30, total=4),
            shop(50, "O-2", total=9),
        ],
        [Sent(610, "2", "web-10", "p"), Sent(650, "9", "shop-50", "s", order_id="O-2")],
        f"{E} {E} {E} {E} {E}",
    ),
    Case(
        "no claim is sent where such are withheld",
        [shop(0, "O-0", total=1), page(10, total=1), page(20, total=2), page(30, total=3)],
        [],
        f"{E} {E} {E} {E}",
        WITHHOLD,
    ),
    Case(
        "an order that the shop does not confirm is withheld",
        [shop(0, "O-0", total=1), page(10, total=249)],
        [],
        f"{E} {E}",
        WITHHOLD,
    ),
    Case(
        "one that the shop confirms in time is not",
        [page(0, total=249, tag="t"), shop(599, total=249)],
        [Sent(599, "249", "t")],
        f"{E} {M}",
        WITHHOLD,
    ),
    Case(
        "the shop's goes where the page's was withheld",
        [page(0, total=249, tag="t"), shop(700, total=249)],
        [Sent(1300, "249", "shop-700", "s")],
        f"{E} {E}",
        WITHHOLD,
    ),
]


def story(case: Case) -> str:
    steps = []
    for step in case.steps:
        at, ago_s = step["at"], step["ago_s"]
        event = step["event"] | {"timestamp": _time(at - ago_s)}
        steps.append({"at": at, "sender": step["sender"], "event": event})
    return json.dumps({"name": case.name, "start": START, "settings": case.settings, "steps": steps})


def _time(after_s: float) -> str:
    return (datetime.fromisoformat(START) + timedelta(seconds=after_s)).isoformat()


def told_of(event: dict[str, Any], at: float) -> Sent:
    custom_data, user_data = event.get("custom_data", {}), event["user_data"]
    of = ("p" if user_data.get("click_id") == CLICK else "") + ("s" if "em" in user_data else "")
    return Sent(
        at, custom_data.get("value"), event["event_id"], of, custom_data.get("currency"), custom_data.get("order_id")
    )


def is_as_written(found: list[Sent], wanted: list[Sent], case: Case) -> bool:
    ids = {step["event"]["messageId"] for step in case.steps}
    if len(found) != len(wanted):
        return False
    return all(
        (mine if theirs.event_id or mine.event_id in ids else mine._replace(event_id=None)) == theirs
        for mine, theirs in zip(found, wanted, strict=True)
    )


@pytest.mark.slow
def test_stories_end_as_they_are_written(run: Run) -> None:
    result = run("preview", "--story", "-", "--json", stdin="\n".join(map(story, CASES)))

    assert result.exit_code == 0, result.output
    failing = {}
    for case, told in zip(CASES, map(json.loads, result.stdout.splitlines()), strict=True):
        sent = [told_of(each["event"], each["at"]) for each in told["sent"]]
        sent = [each for each in sent if each.order_id != "O-0" or each in case.sent]
        if not is_as_written(sent, case.sent, case) or " ".join(told["outcomes"]) != case.outcomes:
            failing[case.name] = (sent, told["outcomes"])
    assert failing == {}
