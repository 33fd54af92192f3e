"""/api/v1/orders/revenue: what orders were worth."""

from pathlib import Path

from tests.web.client import client_of

ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "1",
    "context": {"traits": {"email": "ada@example.com"}},
    "properties": {"order_id": "SO-1", "total": 19.99, "currency": "EUR"},
}


async def test_orders_are_told_by_currency(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        assert (await client.get("/api/v1/orders/revenue")).json()["currencies"] == []
        assert (await client.post("/webhook", json=ORDER)).status_code == 200
        (eur,) = (await client.get("/api/v1/orders/revenue", params={"days": 1, "source": "default"})).json()[
            "currencies"
        ]
        assert (eur["currency"], eur["became"]["waiting"]["amount"], eur["received"]["average"]) == (
            "EUR",
            "19.99",
            "19.99",
        )
        assert [line["name"] for line in eur["by"]["preset"]] == ["Order Completed"]
        assert (await client.get("/api/v1/orders/revenue", params={"preset": "Add to Cart"})).json()["currencies"] == []
        assert (await client.get("/api/v1/orders/revenue", params={"days": 0})).status_code == 422
