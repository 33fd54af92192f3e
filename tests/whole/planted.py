"""One person whose data is like no other text, and events that carry it in every place where it might leak from."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

EMAIL = "Zephyrine.Quagga+Plant@Xylograph-Mail.example"
PHONE = "+49 1579 2386417"
FIRST_NAME = "Zephyrinella"
LAST_NAME = "Quaggenmüller"
DATE_OF_BIRTH = "1931-07-23"
CITY = "Kœnigswüsterbach"
EXTERNAL_ID = "Customer Zq77-Plänt"
ADVERTISING_ID = "C0FFEE77-5EED-4B1D-9A77-0DDBA11FACE5"
#: What cannot be hashed, since it is malformed; no reason and no warning may quote it.
MALFORMED = {
    "email": "zephyrine at xylograph-mail dot example",
    "phone": "+49 15792386417 23864170",
    "date_of_birth": "23rd of July 1931",
    "state": "Quaggenland",
    "zip": "Zq-Postal?!",
    "country": "Republic of Quaggia",
    "gender": "quaggish",
}
#: A token whose claims name the person.
TOKEN = ".".join(
    urlsafe_b64encode(part.encode()).decode().rstrip("=")
    for part in ('{"alg":"HS256"}', json.dumps({"name": f"{FIRST_NAME} {LAST_NAME}"}), "signature-of-nobody")
)
PLANTED = (
    EMAIL,
    PHONE,
    FIRST_NAME,
    LAST_NAME,
    DATE_OF_BIRTH,
    CITY,
    EXTERNAL_ID,
    ADVERTISING_ID,
    TOKEN,
    *MALFORMED.values(),
)
_MIN_DIGITS = 8

#: The person as traits, with what is too common to be searched for.
ADDRESS = {"city": CITY, "state": "California", "postalCode": "94107", "country": "United States"}
PERSON = {
    "email": EMAIL,
    "phone": PHONE,
    "first_name": FIRST_NAME,
    "last_name": LAST_NAME,
    "name": f"{FIRST_NAME} {LAST_NAME}",
    "date_of_birth": DATE_OF_BIRTH,
    "birthday": DATE_OF_BIRTH,
    "gender": "female",
    "address": ADDRESS,
}
USER_DATA = {
    **{key: value for key, value in PERSON.items() if key not in {"name", "birthday", "address"}},
    "external_id": EXTERNAL_ID,
    "hashed_maids": ADVERTISING_ID,
    "city": CITY,
    "state": "California",
    "zip": "94107",
    "country": "United States",
}
DEVICE = {
    "adTrackingEnabled": True,
    "advertisingId": ADVERTISING_ID,
    "idfa": ADVERTISING_ID,
    "gaid": ADVERTISING_ID,
    "name": f"Phone of {FIRST_NAME}",
}
URL = f"https://shop.example/?email={quote(EMAIL)}&tel={quote(PHONE)}&first_name={FIRST_NAME}&last_name={quote(LAST_NAME)}"
WHO = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0", "page": {"url": URL, "referrer": URL, "search": URL[21:]}}


#: At-signs as HTML, JSON and people write them, by the names of these ways.
OTHER_SIGNS = {"html": "&#64;", "named": "&commat;", "json": "\\u0040", "escape": "%u0040", "blanks": " @ "}


def forms(value: str) -> set[bytes]:
    """Every way in which a value might be written, in ASCII lower case: search what is lowered likewise."""
    bare = "".join(filter(str.isalnum, value))
    digits = "".join(filter(str.isdecimal, value))
    texts = {value, value.strip(), "".join(value.split()), bare, *([digits] if len(digits) >= _MIN_DIGITS else [])}
    texts |= {text.lower() for text in texts} | {text.upper() for text in texts}
    written = {text for each in texts for text in (each, _escaped(each), quote(each), quote_plus(each))}
    written |= {html.escape(each) for each in texts}
    if value == EMAIL:
        written |= encoded(EMAIL) | {EMAIL.replace("@", at) for at in OTHER_SIGNS.values()}
    return {text.encode().lower() for text in written}


def encoded(text: str) -> set[str]:
    """Every way in which base64 or hex may hold a text, wherever in the encoded text it begins."""
    found = {text.encode().hex()}
    for before in range(3):  # the first and the last characters hold parts of what stands beside it
        whole = b64encode(b"." * before + text.encode() + b"...").decode()
        found.add(whole[0 if before == 0 else 4 : -8])
    return found


def written(email: str) -> dict[str, str]:
    """Ways in which programs write an address into ids and URLs."""
    return {
        "plain": email,
        "percent": quote(email),
        **{name: email.replace("@", at) for name, at in OTHER_SIGNS.items()},
        "quoted": email.replace("@", '"@').join(('"', "")),
        "base64": b64encode(email.encode()).decode(),
        "base64url": urlsafe_b64encode(f"u:{email}".encode()).decode().rstrip("="),
        "hex": email.encode().hex(),
    }


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def track(message_id: str, event: str = "Order Completed", **changes: Any) -> dict[str, Any]:
    """An event of the person; the properties make an order of its own."""
    properties = {"order_id": message_id, "revenue": 10, "currency": "EUR", **changes.pop("properties", {})}
    standard = {"type": "track", "event": event, "timestamp": datetime.now(UTC).isoformat(), "userId": EXTERNAL_ID}
    return {
        **standard,
        "messageId": message_id,
        "context": {**WHO, "device": DEVICE},
        "properties": properties,
        **changes,
    }


def ids() -> list[dict[str, Any]]:
    """Events whose ids hold the address, each in another way and place."""
    marked = [track(f"id-{way}-{text}", properties={"order_id": f"o-{way}"}) for way, text in written(EMAIL).items()]
    for way, text in written(EMAIL).items():
        own = {"order_id": f"order {text}", "event_id": f"{text}-{way}", "checkout_id": f"c-{text}"}
        marked.append(track(f"ids-{way}", properties=own))
    return marked


def texts() -> list[dict[str, Any]]:
    """Events whose free texts and address hold the person, in whatever way each may."""
    note = f"for {EMAIL}, {PHONE} only"
    product = {"product_id": f"P-{EMAIL}", "name": note, "category": note, "brand": note, "price": 1}
    told = {"products": [product], "content_name": note, "content_category": note, "content_brand": note}
    content = {"content_ids": [f"P-{EMAIL}"], "opt_out_type": EMAIL, "partner_id": EMAIL, "click_id": EMAIL}
    device = {"manufacturer": note, "brand": note, "model": note, "type": note, "advertisingId": ADVERTISING_ID}
    of_device = {"device": device, "os": {"name": note, "version": note}, "network": {"carrier": note}}
    of_app = {"app": {"name": note, "version": note, "namespace": note, "id": f"app-{EMAIL}"}, "timezone": note}
    urls = [f"https://shop.example/u/{text}/?u={text}&x=1#{text}" for text in written(EMAIL).values()]
    named = "&".join(f"{name}={FIRST_NAME}" for name in ("name", "fullname", "customer[name]"))
    urls.append(f"https://shop.example/{TOKEN}/?{named}&access_token={TOKEN}&t={TOKEN}")
    return [
        track("texts-products", properties=told),
        track("texts-content", properties=content),
        track("texts-product", "Product Viewed", properties=product | {"search_string": note}),
        track("texts-device", "Application Opened", context={**WHO, **of_device, **of_app, "os": {"name": "iOS"}}),
        track("texts-app", context={**WHO, **of_device, **of_app, "locale": note}),
        *(track(f"texts-url-{n}", context={**WHO, "page": {"url": url}}) for n, url in enumerate(urls)),
    ]


def events() -> list[Any]:
    """Events that leave by every outcome; those named `reject-...` and `delivered-...` are sent."""
    in_context = {**WHO, "device": DEVICE, "traits": PERSON}
    search = {"query": f"order of {EMAIL}, {PHONE}", "name": f"{FIRST_NAME} {LAST_NAME}"}
    unknown = {**USER_DATA, EMAIL: PHONE, "nick": FIRST_NAME}
    nobody = {"page": WHO["page"]}
    return [
        track("delivered-traits", context=in_context, traits=PERSON),
        track("delivered-properties", properties={**PERSON, "customer": PERSON, "shipping_address": ADDRESS}),
        track("delivered-user-data", properties={"user_data": USER_DATA}),
        track("delivered-list", properties={"user_data": [USER_DATA, {"email": [EMAIL, MALFORMED["email"]]}]}),
        track("delivered-unknown", properties={"user_data": unknown}),
        track("delivered-sign-up", "Signed Up", properties=PERSON, context=in_context),
        track("delivered-lead", "Generate Lead", properties=PERSON, context=in_context),
        track("delivered-search", "Products Searched", properties=search, context=in_context),
        track("delivered-opened", "Application Opened", context={**in_context, "os": {"name": "iOS"}}),
        {**track("delivered-page"), "type": "page", "name": "Account", "properties": {"url": URL, "title": "Account"}},
        track("delivered-warnings", properties={"user_data": {**MALFORMED, "hashed_maids": ADVERTISING_ID}}),
        *ids(),
        *texts(),
        *(track(f"reject-{number}", context=in_context, properties=PERSON) for number in range(2)),
        # duplicates: one of the same event, one of the same order
        track("delivered-traits", context=in_context),
        track("duplicate-order", "Order Completed", properties={**PERSON, "order_id": "delivered-traits"}),
        # invalid
        track("invalid-malformed", context=nobody, properties={"user_data": MALFORMED}, userId=None),
        track("invalid-time", context=in_context, timestamp=f"on {DATE_OF_BIRTH} by {EMAIL}"),
        # withheld
        track("withheld-integrations", context=in_context, integrations={"All": False, EMAIL: True}),
        track("withheld-consent", context={**in_context, "consent": {"categoryPreferences": {EMAIL: False}}}),
        # unmatched
        {**track("unmatched-identify", context=in_context), "type": "identify", "traits": PERSON},
        {**track("unmatched-alias", context=in_context), "type": "alias", "previousId": EMAIL},
        track("unmatched-track", f"Greeted {EMAIL}", context=in_context, properties=PERSON),
        # refused
        f"{EMAIL} {PHONE} {FIRST_NAME}",
        {**track("refused-type", context=in_context, properties=PERSON), "type": {"kind": EMAIL}},
    ]
