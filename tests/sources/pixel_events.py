"""Customer events of Shopify shops, with the members and amounts of recorded payloads, and what becomes of each.

Fourteen have the form of the payloads that RudderStack recorded (rudder-transformer,
test/integrations/sources/shopify/pixelTestScenarios), eleven of those in customerlabs_js_helpers, two of orders of a
shop in Bangladesh, six of the test script of a webhook, one of mockalytics-shopify-pixel. People and shops are changed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

CLIENT = "c7b3f99b-4d34-463b-835f-c879482a7750"
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0"
CHECKOUT_PAGE = "/checkouts/cn/Z2NwLXVzLWVhc3QxOjAxSjY5OVpIRURQNERFMDBKUTVaRkI4UzdU"
TOKEN = "5f7028e0bd5225c17b24bdaa0c09f914"
EMAIL = "ada.miller@example.com"


class Row(NamedTuple):
    """One event as Shopify's `analytics.subscribe` gives it, and what Pinterest gets of it."""

    event: dict[str, Any]
    #: The name of the event that the source makes; None if it makes none.
    named: str | None
    #: Pinterest's name of the event; None if no preset takes it.
    sent: str | None = None
    #: Members of `custom_data`.
    data: Mapping[str, Any] = MappingProxyType({})


def money(amount: float, currency: str = "USD") -> dict[str, Any]:
    return {"amount": amount, "currencyCode": currency}


def context(path: str, search: str = "", *, has_browser: bool = True) -> dict[str, Any]:
    """Return the context of an event on a page of the shop."""
    location = {
        "href": f"https://shop.example{path}{search}",
        "hash": "",
        "host": "shop.example",
        "origin": "https://shop.example",
        "pathname": path,
        "search": search,
    }
    page = {"location": location, "referrer": "https://shop.example/cart", "characterSet": "UTF-8", "title": "A page"}
    if not has_browser:
        return {"document": page, "customer": None, "shop": {"id": "67040441", "domain": "shop.example"}}
    navigator = {"language": "en-US", "cookieEnabled": True, "languages": ["en-US", "en"], "userAgent": BROWSER}
    window = {"innerHeight": 1028, "innerWidth": 1362, "location": location, "origin": "https://shop.example"}
    return {"document": page, "navigator": navigator, "window": window}


def event(event_id: str, name: str, data: Any, path: str = CHECKOUT_PAGE, **more: Any) -> dict[str, Any]:
    """Return an event; the tests set its timestamp."""
    where = more.pop("context", None) or context(path)
    return {"id": event_id, "name": name, "data": data, "type": "standard", "clientId": CLIENT, "context": where} | more


def variant(number: str, product: str, name: str, price: float, currency: str = "USD", **more: Any) -> dict[str, Any]:
    """Return a variant of a product as events have it."""
    vendor, kind = more.pop("vendor", "Oak & Ash"), more.pop("kind", "")
    about = {"id": product, "title": name, "untranslatedTitle": name, "vendor": vendor, "type": kind}
    image = {"src": f"//shop.example/cdn/shop/files/{number}.jpg?v=1724736600"}
    own = {"id": number, "image": image, "price": money(price, currency), "product": about, "sku": ""}
    return own | {"title": "Default Title", "untranslatedTitle": "Default Title"} | more


def line(sold: dict[str, Any], quantity: int, **more: Any) -> dict[str, Any]:
    """Return a line of a checkout."""
    title = sold["product"]["title"]
    return {"discountAllocations": [], "id": sold["id"], "quantity": quantity, "title": title, "variant": sold} | more


def cart_line(sold: dict[str, Any], quantity: int = 1) -> dict[str, Any]:
    price = sold["price"]
    return {
        "cost": {"totalAmount": money(price["amount"] * quantity, price["currencyCode"])},
        "merchandise": sold,
        "quantity": quantity,
    }


#: An address that nobody has filled in.
EMPTY: dict[str, Any] = dict.fromkeys(
    ("address1", "address2", "city", "firstName", "lastName", "phone", "province", "provinceCode", "zip")
) | {"country": "US", "countryCode": "US"}
FILLED = EMPTY | {
    "address1": "1 Oak Street",
    "city": "Elmhurst",
    "firstName": "Ada",
    "lastName": "Miller",
    "province": "NY",
    "provinceCode": "NY",
    "zip": "11373",
}
LIQUID = variant("41327143321713", "7234590834801", "The Collection Snowboard: Liquid", 749.95, kind="snowboard")
MANAGED = variant("41327143157873", "7234590736497", "The Multi-managed Snowboard", 629.95, sku="sku-managed-1")
BOTH = [line(LIQUID, 2, finalLinePrice=money(1499.9)), line(MANAGED, 2, finalLinePrice=money(1259.9))]


def delivery(cost: float, after: float, currency: str = "USD") -> dict[str, Any]:
    """Return the delivery that a buyer chose."""
    option = {"cost": money(cost, currency), "costAfterDiscounts": money(after, currency), "title": "Economy"}
    return {"selectedDeliveryOptions": [option | {"description": None, "handle": f"{TOKEN}-8388", "type": "shipping"}]}


def checkout(**more: Any) -> dict[str, Any]:
    """Return a checkout of two kinds of snowboards."""
    return {
        "checkout": {
            "buyerAcceptsEmailMarketing": False,
            "buyerAcceptsSmsMarketing": False,
            "attributes": [],
            "billingAddress": EMPTY,
            "token": TOKEN,
            "currencyCode": "USD",
            "discountApplications": [],
            "discountsAmount": money(0),
            "email": EMAIL,
            "phone": "",
            "lineItems": BOTH,
            "localization": {"country": {"isoCode": "US"}, "language": {"isoCode": "en-US"}},
            "order": {"id": None, "customer": {"id": None, "isFirstOrder": None}},
            "delivery": delivery(0, 0),
            "shippingAddress": FILLED,
            "subtotalPrice": money(2759.8),
            "shippingLine": {"price": money(0)},
            "smsMarketingPhone": None,
            "totalTax": money(0),
            "totalPrice": money(2759.8),
            "transactions": [],
        }
        | more
    }


SNOWBOARDS = {"value": "2759.8", "currency": "USD", "content_ids": ["7234590834801", "7234590736497"], "num_items": 4}
NEW = {"email": "", "delivery": {"selectedDeliveryOptions": []}, "shippingAddress": EMPTY}
CONTACT = {"delivery": {"selectedDeliveryOptions": []}, "shippingAddress": EMPTY}
ONE_LIQUID = {
    "value": "749.95",
    "currency": "USD",
    "content_ids": ["7234590834801"],
    "content_name": LIQUID["product"]["title"],
}
COLLECTION = [
    variant("41327142895729", "7234590605425", "Gift Card", 10, kind="giftcard", title="$10"),
    variant("41327143223409", "7234590802033", "Selling Plans Ski Wax", 24.95, kind="accessories"),
    variant("41327143125105", "7234590703729", "The 3p Fulfilled Snowboard", 2629.95, sku="sku-hosted-1"),
]

RECORDED: dict[str, Row] = {
    "page_viewed": Row(
        event(
            "sh-f6b6f548-5FEF-4DAE-9CAB-39EE6F94E09B", "page_viewed", {}, context=context("/", "?utm_medium=checkout")
        ),
        "",
        "page_visit",
    ),
    "product_viewed": Row(
        event("sh-f6c07b5a-D20A-4E5F-812E-337299B56C34", "product_viewed", {"productVariant": LIQUID}),
        "Product Viewed",
        "view_content",
        ONE_LIQUID | {"content_category": "snowboard", "content_brand": "Oak & Ash"},
    ),
    "cart_viewed": Row(
        event(
            "shu-f6eecef1-4132-459F-CDB5-681DA3DD61CD",
            "cart_viewed",
            {
                "cart": {
                    "cost": {"totalAmount": money(1259.9)},
                    "lines": [cart_line(MANAGED, 2)],
                    "totalQuantity": 2,
                    "attributes": [],
                    "id": "Z2NwLXVzLWVhc3QxOjAxSjY5OVpIRURQNERFMDBKUTVaRkI4UzdU",
                }
            },
        ),
        "Cart Viewed",
    ),
    "collection_viewed": Row(
        event(
            "sh-f6f0c6be-43F8-47D2-5F94-C22AD5ED3E79",
            "collection_viewed",
            {"collection": {"id": "", "title": "Products", "productVariants": COLLECTION}},
        ),
        "Product List Viewed",
        "view_category",
        {
            "content_category": "Products",
            "content_ids": ["7234590605425", "7234590802033", "7234590703729"],
            "currency": "USD",
        },
    ),
    "product_added_to_cart": Row(
        event("sh-f6f828db-F77B-43E8-96C4-1D51DACD52A3", "product_added_to_cart", {"cartLine": cart_line(LIQUID)}),
        "Product Added",
        "add_to_cart",
        ONE_LIQUID | {"num_items": 1},
    ),
    "product_removed_from_cart": Row(
        event("shu-f778d1eb-9B83-4832-9DC0-5C3B33A809F0", "product_removed_from_cart", {"cartLine": cart_line(LIQUID)}),
        "Product Removed",
    ),
    "search_submitted": Row(
        event(
            "sh-f7d599b4-D80F-4D05-C4CE-B980D5444596",
            "search_submitted",
            {"searchResult": {"query": "skate", "productVariants": []}},
        ),
        "Products Searched",
        "search",
        {"search_string": "skate"},
    ),
    "unknown": Row(
        event("sh-f7d599b4-D80F-4D05-C4CE-B980D5444596", "unknown_event", {"searchResult": {"query": "skate"}}), None
    ),
    "checkout_started": Row(
        event("sh-f77a78f1-C1D8-4ED4-9C9B-0D352CF6F3BF", "checkout_started", checkout(**NEW)),
        "Checkout Started",
        "initiate_checkout",
        SNOWBOARDS,
    ),
    "checkout_completed": Row(
        event("sh-f77a78f1-C1D8-4ED4-9C9B-0D352CF6F3BF", "checkout_completed", checkout(**NEW)),
        "Order Completed",
        "checkout",
        SNOWBOARDS,
    ),
    "checkout_contact_info_submitted": Row(
        event("sh-f7c8416f-1D35-4304-EF29-78666678C4E9", "checkout_contact_info_submitted", checkout(**CONTACT)),
        "Checkout Step Completed",
    ),
    "checkout_address_info_submitted": Row(
        event("sh-f7d2154d-7525-47A4-87FA-E54D2322E129", "checkout_address_info_submitted", checkout()),
        "Checkout Step Completed",
    ),
    "checkout_shipping_info_submitted": Row(
        event("sh-f7d5618e-404A-4E6D-4662-599A4BCC9E7C", "checkout_shipping_info_submitted", checkout()),
        "Checkout Step Completed",
    ),
    "payment_info_submitted": Row(
        event("sh-f7d843ea-ED11-4A12-F32F-C5A45BED0413", "payment_info_submitted", checkout()),
        "Payment Info Entered",
        "add_payment_info",
        SNOWBOARDS,
    ),
}

BRACELET = variant(
    "43751530397931", "7992983748843", "7 Chakra Bracelet", 42.99, "INR", kind="Bracelet", title="Blue", sku=None
)
SKIRT = variant("43218082857195", "7808926384363", "Striped Skirt and Top", 50, "INR", sku=None)
#: Of 2023, before Checkout Extensibility: what nobody has entered is missing rather than null.
RUPEES: dict[str, Any] = {
    "attributes": [{"key": "_google-clientID", "value": "2056727569.1681286297"}],
    "token": "864ef6919a4214321240c177707a01f7",
    "currencyCode": "INR",
    "discountApplications": [],
    "lineItems": [line(BRACELET, 1)],
    "order": {},
    "shippingAddress": {},
    "subtotalPrice": money(42.99, "INR"),
    "shippingLine": {"price": {}},
    "totalTax": money(3.87, "INR"),
    "totalPrice": money(46.86, "INR"),
}
SHIPPED = RUPEES | {
    "email": EMAIL,
    "shippingAddress": FILLED | {"country": "IN", "countryCode": "IN"},
    "shippingLine": {"price": money(0, "INR")},
    "totalTax": money(7.74, "INR"),
    "totalPrice": money(50.73, "INR"),
}
OF_BRACELET = {"value": "42.99", "currency": "INR", "content_ids": ["7992983748843"]}

SHIRT = variant(
    "49490881675479", "9343705120983", "Preppy Stripe Shirt", 170, "BDT", kind="Shirts", title="S", sku="S-1"
)
TROUSERS = variant("49490881020119", "9343705055447", "Pinstripe Trousers", 230, "BDT", kind="Suiting", title="32")
TAKA = {
    "currencyCode": "BDT",
    "billingAddress": FILLED | {"country": "BD", "countryCode": "BD", "province": None, "provinceCode": None},
    "phone": None,
    "lineItems": [
        line(SHIRT, 5, finalLinePrice=money(850, "BDT")),
        line(TROUSERS, 3, finalLinePrice=money(690, "BDT")),
    ],
}

#: Ids as base64 of a global id, as Shopify's documentation shows them.
HOODIE = variant(
    "Z2lkOi8vbm9kZS8vU2hvcGlmeS9Qcm9kdWN0VmFyaWFudC8zNzgzNjk2NTQ5OTI3",
    "Z2lkOi8vbm9kZS8vU2hvcGlmeS9Qcm9kdWN0LzgyMTA4MjM1NzU4MjM",
    "Unisex Hoodie",
    45.0,
    kind="Clothing",
    sku="UH-GS-101",
)
GLASSES = variant(
    "Z2lkOi8vbm9kZS8vU2hvcGlmeS9Qcm9kdWN0VmFyaWFudC80NTY5NTg0MzQzMDYzNQ",
    "Z2lkOi8vbm9kZS8vU2hvcGlmeS9Qcm9kdWN0Lzc2MzI5NDMzNDMwNjM1",
    "Aviator Sunglasses",
    55.0,
    kind="Accessories",
)
OF_HOODIE = {"value": "45", "currency": "USD", "content_ids": [HOODIE["product"]["id"]]}
TEA = variant("tea_variant_789", "tea_product_456", "Green Tea Sampler Pack", 15, kind="Tea", sku="GREEN-1234")

FOUND: dict[str, Row] = {
    "rupees, collection_viewed": Row(
        event(
            "sh-0259a238-2A20-436E-D1AC-731D262C99FD",
            "collection_viewed",
            {"collection": {"id": "408385257707", "title": "Diwali", "productVariants": [SKIRT, BRACELET]}},
            "/collections/diwali",
        ),
        "Product List Viewed",
        "view_category",
        {"content_category": "Diwali", "currency": "INR", "content_ids": ["7808926384363", "7992983748843"]},
    ),
    "rupees, search_submitted": Row(
        event(
            "sh-025b0413-B717-4033-5CC2-1CDE253D8036",
            "search_submitted",
            {"searchResult": {"query": "st", "productVariants": [SKIRT, BRACELET]}},
            context=context("/search", "?q=st"),
        ),
        "Products Searched",
        "search",
        {"search_string": "st", "content_ids": ["7808926384363", "7992983748843"]},
    ),
    "rupees, product_viewed": Row(
        event("sh-024b01ff-8DDC-45F4-20DC-E9E3078E8B14", "product_viewed", {"productVariant": BRACELET}, "/products/b"),
        "Product Viewed",
        "view_content",
        OF_BRACELET | {"content_category": "Bracelet"},
    ),
    "rupees, product_added_to_cart": Row(
        event("sh-024cb97f-43E7-4A7E-BBB6-94E4B15ED9D6", "product_added_to_cart", {"cartLine": cart_line(BRACELET)}),
        "Product Added",
        "add_to_cart",
        OF_BRACELET,
    ),
    "rupees, cart_viewed": Row(
        event(
            "shu-025f3eb4-483D-4008-6F7F-DD41C6B43630",
            "cart_viewed",
            {"cart": {"cost": {"totalAmount": money(50, "INR")}, "id": "c1-5dc8", "lines": [cart_line(SKIRT)]}},
            "/cart",
        ),
        "Cart Viewed",
    ),
    "rupees, checkout_started": Row(
        event("sh-024dd1f5-C102-4C85-4EC1-9E1EA6A033DD", "checkout_started", {"checkout": RUPEES}),
        "Checkout Started",
        "initiate_checkout",
        OF_BRACELET,
    ),
    "rupees, checkout_contact_info_submitted": Row(
        event(
            "sh-025586c4-2962-491A-1A9F-E278040EBC12",
            "checkout_contact_info_submitted",
            {"checkout": RUPEES | {"email": EMAIL, "phone": ""}},
        ),
        "Checkout Step Completed",
    ),
    "rupees, checkout_address_info_submitted": Row(
        event("sh-02571811-009E-4AEA-8F7A-1D0B3AB143E1", "checkout_address_info_submitted", {"checkout": SHIPPED}),
        "Checkout Step Completed",
    ),
    "rupees, checkout_shipping_info_submitted": Row(
        event("sh-02581c02-1061-491B-BC7A-2A538857CC06", "checkout_shipping_info_submitted", {"checkout": SHIPPED}),
        "Checkout Step Completed",
    ),
    "rupees, payment_info_submitted": Row(
        event("sh-0259b26b-39CD-4836-8000-A8D0D2AFBC32", "payment_info_submitted", {"checkout": SHIPPED}),
        "Payment Info Entered",
        "add_payment_info",
        OF_BRACELET,
    ),
    "rupees, checkout_completed": Row(
        event(
            "sh-0259ccd2-828F-4637-02A0-DCACCD76F620",
            "checkout_completed",
            {"checkout": SHIPPED | {"order": {"id": "gid://shopify/OrderIdentity/5396439498987"}}},
        ),
        "Order Completed",
        "checkout",
        OF_BRACELET | {"order_id": "5396439498987"},
    ),
    "an order with shipping and tax": Row(
        event(
            "sh-c8612747-7634-1544-FFBC-AF89F48B7687",
            "checkout_completed",
            checkout(
                **TAKA,
                token="c861274776341544ffbcaf89f48b7687",
                order={"id": "6807581753559", "customer": {"id": "9384230682839", "isFirstOrder": False}},
                delivery=delivery(1400, 1400, "BDT"),
                shippingLine={"price": money(1400, "BDT")},
                subtotalPrice=money(1540, "BDT"),
                totalTax=money(231, "BDT"),
                totalPrice=money(3171, "BDT"),
                transactions=[{"amount": money(3171, "BDT"), "gateway": "bogus"}],
            ),
        ),
        "Order Completed",
        "checkout",
        {"value": "1540", "currency": "BDT", "order_id": "6807581753559", "num_items": 8},
    ),
    "an order with discounts of products and of shipping": Row(
        event(
            "sh-7ec295c8-673d-2650-FBB0-1E29215F6BAE",
            "checkout_completed",
            checkout(
                **TAKA,
                token="7ec295c8673d2650fbb01e29215f6bae",
                order={"id": "6807530143959"},
                discountsAmount=money(1939, "BDT"),
                delivery=delivery(1400, 0, "BDT"),
                subtotalPrice=money(1001, "BDT"),
                totalTax=money(150.15, "BDT"),
                totalPrice=money(1151.15, "BDT"),
            ),
        ),
        "Order Completed",
        "checkout",
        {"value": "1001", "currency": "BDT", "order_id": "6807530143959"},
    ),
    "as documented, page_viewed": Row(
        event("e_b15b565a-5282-4f73-af5c-097561f38e6e", "page_viewed", {}, "/products/hoodie", seq=7), "", "page_visit"
    ),
    "as documented, product_viewed": Row(
        event("e_b15b565a-5282-4f73-af5c-097561f38e6e", "product_viewed", {"productVariant": HOODIE}, seq=4),
        "Product Viewed",
        "view_content",
        OF_HOODIE,
    ),
    "as documented, product_added_to_cart": Row(
        event(
            "e_8a7c6f5e-4d3b-2c1a-9f8e-7d6c5b4a3c2b", "product_added_to_cart", {"cartLine": cart_line(HOODIE)}, seq=3
        ),
        "Product Added",
        "add_to_cart",
        OF_HOODIE,
    ),
    "as documented, collection_viewed": Row(
        event(
            "e_b15b565a-5282-4f73-af5c-097561f38e6e",
            "collection_viewed",
            {"collection": {"id": "Z2lkOi8v", "title": "Summer Collection", "productVariants": [HOODIE, GLASSES]}},
            seq=6,
        ),
        "Product List Viewed",
        "view_category",
        {"content_category": "Summer Collection", "content_ids": [HOODIE["product"]["id"], GLASSES["product"]["id"]]},
    ),
    "as documented, search_submitted": Row(
        event(
            "e_8a7c6f5e-4d3b-2c1a-9f8e-7d6c5b4a3c2b",
            "search_submitted",
            {"searchResult": {"query": "t-shirt", "productVariants": [HOODIE]}},
            seq=5,
        ),
        "Products Searched",
        "search",
        {"search_string": "t-shirt"},
    ),
    "as documented, checkout_completed": Row(
        event(
            "e_b15b565a-5282-4f73-af5c-097561f38e6e",
            "checkout_completed",
            {
                "checkout": {
                    "token": "2ba4ba4ba452c92a95c935",
                    "email": EMAIL,
                    "currencyCode": "USD",
                    "subtotalPrice": money(140.0),
                    "totalPrice": money(142.0),
                    "totalTax": money(10.0),
                    "discountsAmount": money(8.0),
                    "shippingLine": {"price": money(0.0)},
                    "lineItems": [line(HOODIE, 1, finalLinePrice=money(42.0)), line(GLASSES, 2)],
                }
            },
            context=context("/checkout/thank-you", "?key=2ba4ba4ba4", has_browser=False),
            seq=2,
        ),
        "Order Completed",
        "checkout",
        {"value": "140", "currency": "USD", "num_items": 3},
    ),
    "an order without a context": Row(
        event(
            "11111111-2222-3333-4444-555555555555",
            "checkout_completed",
            checkout(
                token="tea_token_abcdefg1234567",
                lineItems=[line(TEA, 3, id="tea_line_123")],
                order={"customer": {"id": "tea_customer_000", "isFirstOrder": True}, "id": "tea_order_999"},
                shippingLine={"price": money(5)},
                delivery=None,
                subtotalPrice=money(45),
                totalTax=money(2),
                totalPrice=money(52),
            ),
            context="...",
        ),
        "Order Completed",
        "checkout",
        {"value": "45", "currency": "USD", "order_id": "tea_order_999", "content_ids": ["tea_product_456"]},
    ),
}

ROWS = RECORDED | FOUND
