"""Which of Pinterest's eleven quality components an event carries."""

from app.destination import COMPONENTS, components


def test_a_full_event_carries_all_eleven() -> None:
    event = {
        "event_id": "1",
        "event_source_url": "https://shop.example",
        "user_data": {
            "em": ["a"],
            "hashed_maids": ["b"],
            "client_ip_address": "203.0.113.1",
            "client_user_agent": "UA",
            "external_id": ["c"],
            "click_id": "d",
        },
        "custom_data": {"order_id": "1", "value": "5", "content_ids": ["x"]},
    }

    assert components(event) == COMPONENTS
    assert len(COMPONENTS) == 11


def test_a_bare_event_carries_its_id() -> None:
    assert components({"event_id": "1", "user_data": {}}) == ("external_event_id",)


def test_a_product_may_be_named_in_contents() -> None:
    named = {"event_id": "1", "user_data": {}, "custom_data": {"contents": [{"quantity": 1}, {"id": "x"}]}}
    unnamed = {"event_id": "1", "user_data": {}, "custom_data": {"contents": [{"quantity": 1}]}}

    assert "product_id" in components(named)
    assert "product_id" not in components(unnamed)
