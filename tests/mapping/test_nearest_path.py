"""For a field that finds nothing the path that was probably meant is named, and none where that would be a guess."""

from typing import Any

import pytest

from app.mapping import nearest_path

EVENT: dict[str, Any] = {
    "userId": "U-7",
    "context": {"traits": {"email": "a@b.example", "firstName": "Ana"}, "device": {"ad-id": 1}, "none": None},
    "properties": {
        "revenue": 20,
        "orderTotal": 25,
        "coupon": "",
        "unit price": 5,
        "products": [{"sku": "p1", "Price": 10}, {"brand": "B"}],
        "tags": ["a"],
        "Customer": {"id": 7},
    },
}


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        (["properties.revnue"], "properties.revenue"),  # misspelt
        (["properties.Revenue"], "properties.revenue"),  # another case
        (["properties.order_total"], "properties.orderTotal"),
        (["properties.total"], "properties.orderTotal"),
        (["context.device.adId"], 'context.device["ad-id"]'),
        (["revenue"], "properties.revenue"),  # another object
        (["properties.order.revenue"], "properties.revenue"),
        (["properties.products[*].price"], "properties.products[0].Price"),
        (["properties.products[1].price"], "properties.products[0].Price"),
        (["properties.products[?(@.sku == 'p1')].price"], "properties.products[0].Price"),
        (["properties.products.price"], "properties.products[0].Price"),
        (["properties.Products"], "properties.products"),  # a list
        (["properties.customer"], "properties.Customer"),  # an object
        (['properties["Unit Price"]'], 'properties["unit price"]'),
        (["properties.gone", "context.traits.Email"], "context.traits.email"),  # the likest of all, not the first
        (["properties.revenues", "properties.Revenue", "userID"], "properties.revenue"),
        (["properties.revenue", "userID"], "userId"),  # something stands at the first
        (["properties.revenue", "properties.products[*].sku"], ""),
        (["properties.coupon"], ""),
        (["properties.cupon", "context.nones"], ""),  # an empty text and null are nothing
        (["properties.brand"], ""),  # in the first item only
        (["properties.gone"], ""),  # that both stand in `properties` makes them no more alike
        (["properties.revision"], ""),
        (["properties.*.Price", "[", "$"], ""),
        ([], ""),
    ],
    ids=str,
)
def test_the_nearest_path_is_the_one_that_ends_most_alike(asked: list[str], nearest: str) -> None:
    assert nearest_path(asked, EVENT) == nearest


def test_of_an_event_of_any_size_and_depth_so_many_paths_are_looked_at() -> None:
    deep: Any = {"revenue": 5}
    for _ in range(5_000):
        deep = [{"a": deep}]
    wide = {f"name_{number}": number for number in range(5_000)} | {"long" * 200: 1}

    assert nearest_path(["Revenue"] * 5_000, {"revenue": 1, "wide": wide, "deep": deep}) == "revenue"
    assert nearest_path(["wide." + "long" * 200], {"long" * 200: 1}) == ""
