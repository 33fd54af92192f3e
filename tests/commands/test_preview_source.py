"""`pinrelay preview-source`: a mapping is tried without a secret, a signature or an outbox."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import CatalogError
from tests.commands.conftest import Run
from tests.sources.test_cases import CASES

ORDER = CASES["shopify-order-paid"]["request"]["body"] | {"processed_at": None, "created_at": None}
TOPIC = ("-H", "X-Shopify-Topic: orders/paid", "-H", "X-Shopify-Shop-Domain: oak-and-ash.myshopify.com")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_it_shows_the_event_that_is_made_and_what_would_become_of_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text(json.dumps(ORDER), encoding="utf-8")
    result = run("preview-source", "shopify", file, *TOPIC)
    (line,) = lines(result.stdout)
    assert (line["made"]["event"], line["message_id"]) == ("Order Completed", "shopify-order-5471610093881")
    assert [(each["preset"], each["outcome"]) for each in line["deliveries"]] == [("Order Completed", "enqueued")]
    assert line["deliveries"][0]["event"]["user_data"]["click_id"] == "dj0yJnU9abc"


@pytest.mark.parametrize(
    ("body", "arguments", "made", "outcomes"),
    [
        ("{}", ("-H", "X-Shopify-Topic: refunds/create"), [None], ["unmatched"]),
        (
            '{"order_number": 1}\n{"id": 1}\n{',
            ("-H", "Content-Type: application/jsonl", *TOPIC),
            ["Order Completed", None, None],
            ["invalid", "refused", "refused"],
        ),
    ],
)
def test_what_gives_no_event_is_told_in_its_place(
    run: Run, body: str, arguments: tuple[str, ...], made: list[str | None], outcomes: list[str]
) -> None:
    found = lines(run("preview-source", "shopify", "-", *arguments, "--query", "a=1", stdin=body).stdout)
    assert [line["made"] and line["made"]["event"] for line in found] == made
    assert [line["deliveries"][0]["outcome"] for line in found] == outcomes


def test_a_mapping_without_a_type_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(
        'name: odd\nkind: mapped\nproofs: [{kind: anyone}]\nmapping: {type: {"@path": $.body.kind}}\n'
        "events: [{name: A, subscribe: body.id = 1}]\n",
        encoding="utf-8",
    )
    (line,) = lines(run("preview-source", "odd", "-", stdin='{"id": 1}', SOURCES_DIR=str(tmp_path)).stdout)
    assert (line["deliveries"][0]["outcome"], line["message_id"]) == ("refused", None)


def test_a_source_that_there_is_not_is_told(run: Run) -> None:
    assert isinstance(run("preview-source", "nothing", "-", stdin="{}").exception, CatalogError)


def test_a_source_of_segments_events_shows_each_as_it_came(run: Run) -> None:
    found = lines(run("preview-source", "rudderstack", "-", stdin='[{"type": "page", "messageId": "p"}, {}]').stdout)
    assert [(line["made"] and line["made"]["type"], line["message_id"]) for line in found] == [
        ("page", "p"),
        (None, None),
    ]
    assert [line["deliveries"][0]["outcome"] for line in found] == ["invalid", "refused"]


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("shopify", "-", "-H", "no header"), "{}"),
        (("shopify", "-"), "{"),
        (("shopify", "-", "-H", "Content-Type: text/html"), "{}"),
        (("shopify", "/no/such/file"), ""),
    ],
)
def test_what_cannot_be_used_ends_with_2(run: Run, arguments: tuple[str, ...], body: str) -> None:
    assert run("preview-source", *arguments, stdin=body).exit_code == 2
