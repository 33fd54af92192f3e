"""Filters as pages, programs and commands write them."""

from dataclasses import fields

import pytest

from app.core.deliveries import State
from app.core.events import Outcome
from app.core.pages import Query
from app.errors import FilterError
from app.outbox import SEARCH_FILTERS, read_filters
from app.outbox.search import given_filters
from tests.rows import every_row


def test_whatever_a_query_has_is_a_filter_but_what_only_pinrelay_asks_for() -> None:
    of_no_filter = {"person", "happened_since"}  # digests, and what Pinterest still takes of dead letters
    assert set(SEARCH_FILTERS) == {each.name for each in fields(Query)} - of_no_filter


@every_row(
    ("texts", "query"),
    [
        ({}, Query()),
        ({"order_id": " SO-1001 "}, Query(order_id="SO-1001")),
        ({"state": "dead", "outcome": "rejected"}, Query(state=State.DEAD, outcome=Outcome.REJECTED)),
        ({"since": "2026-11-26T10:00:00Z", "until": "1795000000.5"}, Query(since=1795687200.0, until=1795000000.5)),
        ({"state": "waiting"}, Query(state="waiting")),
        ({"status": "422"}, Query(status=422)),
        ({"currency": "none", "is_order": "yes"}, Query(currency="", is_order=True)),
        ({"currency": "eur"}, Query(currency="EUR")),
        ({"channel": "POS"}, Query(channel="pos")),
        ({"channel": "none"}, Query(channel="")),
        ({"currency": "EUR", "taken": "no"}, Query(currency="EUR", taken=False)),
        ({"message_id": "ann@shop.example"}, Query(message_id="ann@shop.example")),
    ],
)
def test_texts_are_read_as_what_is_asked_for(texts: dict[str, str], query: Query) -> None:
    assert read_filters(texts) == query


@every_row(
    ("texts", "told"),
    [
        ({"order": "SO-1001"}, f'There is no filter "order". There are: {", ".join(SEARCH_FILTERS)}.'),
        ({"person": "ann"}, f'There is no filter "person". There are: {", ".join(SEARCH_FILTERS)}.'),
        ({"state": "Dead"}, f'The filter "state" must be one of {", ".join(State)}, waiting.'),
        ({"outcome": "lost"}, f'The filter "outcome" must be one of {", ".join(Outcome)}.'),
        ({"preset": ""}, 'The filter "preset" is empty: leave it out, or give it a value.'),
        ({"order_id": "1", "since": " "}, 'The filter "since" is empty: leave it out, or give it a value.'),
        ({"status": "99"}, 'The filter "status" must be an HTTP status, such as 422.'),
        ({"since": "noon"}, 'The filter "since" must be a time: write 2026-03-04T05:06:07Z, or Unix seconds.'),
    ],
)
def test_what_is_no_filter_is_told_with_those_that_there_are(texts: dict[str, str], told: str) -> None:
    with pytest.raises(FilterError) as refused:
        read_filters(texts)
    assert str(refused.value) == told


def test_a_field_of_a_form_that_is_left_empty_asks_for_nothing() -> None:
    assert given_filters({"order_id": " SO-1001 ", "preset": "", "source": "  "}) == {"order_id": "SO-1001"}
