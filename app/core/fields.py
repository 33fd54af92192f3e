"""All fields of `user_data` and `custom_data`. A row has all facts about its field.

Other modules derive their lists from these rows. `app.destination` has the code that reads each field, by the field's
name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeVar

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Owner:
    """The owner of a field of `user_data`, such as the person or the browser."""

    #: The source of the field in a merged order. `union`: lists of both orders are joined; another value is the shop's
    #: if the shop sends a value. `shop_buyer`: all fields from the shop if the shop sends any of them.
    merge: Literal["shop_buyer", "page_browser", "shop_then_page", "union"]
    #: The value is personal data even if it is no digest.
    is_personal: bool


PERSON: Final = Owner(merge="shop_buyer", is_personal=True)
DEVICE: Final = Owner(merge="shop_then_page", is_personal=True)
CONNECTION: Final = Owner(merge="page_browser", is_personal=True)
BROWSER: Final = Owner(merge="page_browser", is_personal=False)
ACCOUNT: Final = Owner(merge="union", is_personal=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How a field of `user_data` identifies its owner."""

    owner: Owner
    #: Fields that identity memory remembers and recalls together; `None`: never remembered.
    memory_group: str | None
    #: A different value is a different person.
    identifies: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the values of a field of `user_data` are read."""

    #: Pinterest accepts a list of SHA-256 digests; otherwise a single text.
    hashed: bool
    #: The country of the event decides how a text is normalised.
    by_country: bool
    #: How blocks of an event, such as a billing address, provide the field: `name` and `address` from one block each,
    #: an `alone` field from any block; `check`: the field only identifies the block's owner.
    block: Literal["name", "address", "alone", "check"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriers:
    """Events that can carry a field: a column of the event, and the values of the column."""

    column: Literal["action_source", "event_name"]
    values: frozenset[str]


APPS: Final = Carriers(column="action_source", values=frozenset({"app_ios", "app_android"}))
_WEB: Final = Carriers(column="action_source", values=frozenset({"web"}))
_CHECKOUT: Final = Carriers(column="event_name", values=frozenset({"checkout"}))
_WITH_PRODUCTS: Final = Carriers(column="event_name", values=frozenset({"checkout", "add_to_cart"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchKey:
    """How the console counts and explains a field by which Pinterest matches events."""

    label: str
    #: The component of Pinterest's quality score that the field provides.
    component: str | None
    #: `None`: all events.
    carriers: Carriers | None
    #: Advice for events without the field; "" if the console gives no advice. `[SETTING|text]` is omitted if the
    #: setting is set.
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserField:
    """A field of `user_data`."""

    #: The name in the action, as presets map the field.
    name: str
    #: The name in the event that Pinterest receives.
    wire: str
    identity: Identity
    reading: Reading
    match_key: MatchKey
    #: How a value is normalised, in words for the documentation, and the source of the rule.
    rule: str
    rule_source: str
    #: A value, and the text that is hashed or sent for it in an event of the US.
    example: tuple[str, str]


#: Pinterest's schema of events/create, version 5.23.
_SCHEMA: Final = "Pinterest"
#: A choice of this project, because Pinterest's schema has no rule.
_SILENT: Final = "Pinrelay"
_NAME_RULE: Final = "trimmed, white space to one blank, lower case, accents composed (NFC)"

#: In the order of the fields in merged events.
USER_FIELDS: Final = (
    UserField(
        name="email",
        wire="em",
        identity=Identity(owner=PERSON, memory_group="em", identifies=True),
        reading=Reading(hashed=True, by_country=False, block="check"),
        match_key=MatchKey(
            label="Email",
            component="hashed_email",
            carriers=None,
            advice="send the address (`context.traits.email`)"
            "[REMEMBER_DAYS|, or let `identify` do it and switch on identity memory]",
        ),
        rule="without white space, invisible characters, and surrounding quotes, `mailto:`, `<...>` or `,;.`; lower "
        "case; must be `local@domain.tld`",
        rule_source=_SCHEMA,
        example=(" Jane.Doe@Example.com", "jane.doe@example.com"),
    ),
    UserField(
        name="phone",
        wire="ph",
        identity=Identity(owner=PERSON, memory_group="ph", identifies=True),
        reading=Reading(hashed=True, by_country=True, block="alone"),
        match_key=MatchKey(
            label="Phone",
            component=None,
            carriers=None,
            advice="send `context.traits.phone` as +49 30 901820"
            "[DEFAULT_COUNTRY|; DEFAULT_COUNTRY reads numbers without their country]",
        ),
        rule="digits with country code (from the event's country or DEFAULT_COUNTRY), without extension; "
        "not sent if too short or too long for its country",
        rule_source=f"{_SCHEMA}; libphonenumber, E.164",
        example=("(415) 555-1234", "14155551234"),
    ),
    UserField(
        name="first_name",
        wire="fn",
        identity=Identity(owner=PERSON, memory_group="name", identifies=False),
        reading=Reading(hashed=True, by_country=False, block="name"),
        match_key=MatchKey(label="First name", component=None, carriers=None, advice="send `context.traits.firstName`"),
        rule=_NAME_RULE,
        rule_source=_SCHEMA,
        example=("Mary Ann ", "mary ann"),
    ),
    UserField(
        name="last_name",
        wire="ln",
        identity=Identity(owner=PERSON, memory_group="name", identifies=False),
        reading=Reading(hashed=True, by_country=False, block="name"),
        match_key=MatchKey(label="Last name", component=None, carriers=None, advice="send `context.traits.lastName`"),
        rule=_NAME_RULE,
        rule_source=_SCHEMA,
        example=("Van  der Berg", "van der berg"),
    ),
    UserField(
        name="gender",
        wire="ge",
        identity=Identity(owner=PERSON, memory_group="ge", identifies=False),
        reading=Reading(hashed=True, by_country=False, block="alone"),
        match_key=MatchKey(label="Gender", component=None, carriers=None, advice=""),
        rule="f, female, woman: f; m, male, man: m; n, non-binary, x: n; other values are left out",
        rule_source=_SCHEMA,
        example=("Female", "f"),
    ),
    UserField(
        name="date_of_birth",
        wire="db",
        identity=Identity(owner=PERSON, memory_group="db", identifies=False),
        reading=Reading(hashed=True, by_country=False, block="alone"),
        match_key=MatchKey(label="Date of birth", component=None, carriers=None, advice=""),
        rule="YYYYMMDD, from dates that begin with the year; found by default, also from dates with one reading "
        "(`12/25/1985`, `25.12.1985`)",
        rule_source=f"{_SCHEMA} (year, month, and day)",
        example=("1997-2-6", "19970206"),
    ),
    UserField(
        name="city",
        wire="ct",
        identity=Identity(owner=PERSON, memory_group="place", identifies=False),
        reading=Reading(hashed=True, by_country=False, block="address"),
        match_key=MatchKey(label="City", component=None, carriers=None, advice="send `context.traits.address.city`"),
        rule="lower case, no white space, no punctuation; accents composed (NFC)",
        rule_source=_SCHEMA,
        example=("St. Paul", "stpaul"),
    ),
    UserField(
        name="state",
        wire="st",
        identity=Identity(owner=PERSON, memory_group="place", identifies=False),
        reading=Reading(hashed=True, by_country=True, block="address"),
        match_key=MatchKey(label="State", component=None, carriers=None, advice="send `context.traits.address.state`"),
        rule="ISO 3166-2 without the country; names of the event's country, else of the US",
        rule_source=f"{_SCHEMA}; ISO 3166-2",
        example=("California", "ca"),
    ),
    UserField(
        name="zip",
        wire="zp",
        identity=Identity(owner=PERSON, memory_group="place", identifies=False),
        reading=Reading(hashed=True, by_country=True, block="address"),
        match_key=MatchKey(
            label="Zip", component=None, carriers=None, advice="send `context.traits.address.postalCode`"
        ),
        rule="US: five digits; elsewhere letters and digits, lower case",
        rule_source=f"{_SCHEMA} for the US; {_SILENT} elsewhere",
        example=("94107-1234", "94107"),
    ),
    UserField(
        name="country",
        wire="country",
        identity=Identity(owner=PERSON, memory_group="place", identifies=False),
        reading=Reading(hashed=True, by_country=False, block="address"),
        match_key=MatchKey(
            label="Country", component=None, carriers=None, advice="send `context.traits.address.country`"
        ),
        rule="ISO 3166 alpha-2, lower case, from codes and names in any language",
        rule_source=f"{_SCHEMA}; ISO 3166-1",
        example=("United States", "us"),
    ),
    UserField(
        name="hashed_maids",
        wire="hashed_maids",
        identity=Identity(owner=DEVICE, memory_group="device", identifies=False),
        reading=Reading(hashed=True, by_country=False, block=None),
        match_key=MatchKey(
            label="Mobile ad id",
            component="hashed_maid",
            carriers=APPS,
            advice="send the device's advertising id (`context.device.advertisingId`), where the person permits it",
        ),
        rule="trimmed, lower case; an id of zeros is left out",
        rule_source=f"{_SILENT}; all zeros by Apple's and Google's documentation",
        example=("7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB", "7a3cbea0-bdf5-11e4-8dfc-aa07a5b093db"),
    ),
    UserField(
        name="client_ip_address",
        wire="client_ip_address",
        identity=Identity(owner=CONNECTION, memory_group=None, identifies=False),
        reading=Reading(hashed=False, by_country=False, block=None),
        match_key=MatchKey(
            label="IP address",
            component="ip_address",
            carriers=None,
            advice="send the visitor's address (`context.ip`), not that of a server",
        ),
        rule="the first public address, without port, brackets and zone",
        rule_source=_SILENT,
        example=("10.0.0.7, [2001:db8::1]:443", "2001:db8::1"),
    ),
    UserField(
        name="client_user_agent",
        wire="client_user_agent",
        identity=Identity(owner=CONNECTION, memory_group=None, identifies=False),
        reading=Reading(hashed=False, by_country=False, block=None),
        match_key=MatchKey(
            label="User agent", component="user_agent", carriers=None, advice="send the visitor's `context.userAgent`"
        ),
        rule="trimmed, without e-mail addresses; not of a server library",
        rule_source=_SILENT,
        example=(" Mozilla/5.0", "Mozilla/5.0"),
    ),
    UserField(
        name="external_id",
        wire="external_id",
        identity=Identity(owner=ACCOUNT, memory_group="external_id", identifies=False),
        reading=Reading(hashed=True, by_country=False, block=None),
        match_key=MatchKey(
            label="External id",
            component="advertiser_external_id",
            carriers=None,
            advice="send a `userId` of your own[REMEMBER_DAYS|, or let identity memory know it]",
        ),
        rule="no white space or invisible characters; lower case unless EXTERNAL_ID_KEEP_CASE",
        rule_source="as Segment's destination",
        example=(" User-42", "user-42"),
    ),
    UserField(
        name="click_id",
        wire="click_id",
        identity=Identity(owner=BROWSER, memory_group="click", identifies=False),
        reading=Reading(hashed=False, by_country=False, block=None),
        match_key=MatchKey(
            label="Click id",
            component="click_id_epik",
            carriers=_WEB,
            advice="let the landing page's `epik` reach every event: `/pinrelay.js`"
            "[REMEMBER_DAYS|, or identity memory]",
        ),
        rule="trimmed; `dj0` and up to 509 more characters; without an e-mail address",
        rule_source=_SILENT,
        example=(" dj0yJnU9NDI", "dj0yJnU9NDI"),
    ),
    UserField(
        name="partner_id",
        wire="partner_id",
        identity=Identity(owner=ACCOUNT, memory_group=None, identifies=False),
        reading=Reading(hashed=False, by_country=False, block=None),
        match_key=MatchKey(label="Partner id", component=None, carriers=None, advice=""),
        rule="trimmed; without an e-mail address",
        rule_source=_SILENT,
        example=(" p-42", "p-42"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """A field of `custom_data`."""

    name: str
    #: The source of the field in a merged order. `money` and products come from one order each, `details` of products
    #: from the order that provides the products; `union`: the values of both.
    merge: Literal["money", "shop", "products", "details", "shop_then_page", "union"]
    #: A `free_text` is cleaned of personal data; an `amount` is read by the currency of the event.
    reading: Literal["free_text", "amount", "own"]
    #: Why a checkout without the field is worth less; `None`: the field is not needed.
    missing: str | None
    match_key: MatchKey | None


CUSTOM_FIELDS: Final = (
    CustomField(
        name="value",
        merge="money",
        reading="amount",
        missing="Pinterest cannot tell what it was worth",
        match_key=MatchKey(
            label="Order value",
            component="order_value",
            carriers=_WITH_PRODUCTS,
            advice="send `properties.revenue`, `total` or `value` with `currency`",
        ),
    ),
    CustomField(
        name="currency",
        merge="money",
        reading="own",
        missing="Pinterest takes that of the ad account",
        match_key=None,
    ),
    CustomField(name="predicted_ltv", merge="money", reading="amount", missing=None, match_key=None),
    CustomField(
        name="order_id",
        merge="shop",
        reading="own",
        missing="the same order from another source cannot be known again",
        match_key=MatchKey(
            label="Order id",
            component="order_id",
            carriers=_CHECKOUT,
            advice="send `properties.order_id`: without it an order cannot be known again",
        ),
    ),
    CustomField(name="contents", merge="products", reading="amount", missing=None, match_key=None),
    CustomField(
        name="content_ids",
        merge="products",
        reading="own",
        missing=None,
        match_key=MatchKey(
            label="Product id",
            component="product_id",
            carriers=_WITH_PRODUCTS,
            advice="send `properties.products` with a `product_id` or `sku` each",
        ),
    ),
    CustomField(name="num_items", merge="details", reading="own", missing=None, match_key=None),
    CustomField(name="content_name", merge="details", reading="free_text", missing=None, match_key=None),
    CustomField(name="content_category", merge="details", reading="free_text", missing=None, match_key=None),
    CustomField(name="content_brand", merge="details", reading="free_text", missing=None, match_key=None),
    CustomField(name="search_string", merge="shop_then_page", reading="own", missing=None, match_key=None),
    CustomField(name="np", merge="shop_then_page", reading="free_text", missing=None, match_key=None),
    CustomField(name="opt_out_type", merge="union", reading="own", missing=None, match_key=None),
)


class MatchField(NamedTuple):
    """A field by which Pinterest matches events, and the place of the field."""

    part: Literal["event", "user_data", "custom_data"]
    name: str
    wire: str
    key: MatchKey


_EVENT_ID: Final = MatchKey(label="Event id", component="external_event_id", carriers=None, advice="")
_URL: Final = MatchKey(label="Page URL", component="source_url", carriers=_WEB, advice="send `context.page.url`")
_MATCH_FIELDS: Final = (
    MatchField("event", "event_id", "event_id", _EVENT_ID),
    *(MatchField("user_data", each.name, each.wire, each.match_key) for each in USER_FIELDS),
    *(MatchField("custom_data", each.name, each.name, each.match_key) for each in CUSTOM_FIELDS if each.match_key),
    MatchField("event", "event_source_url", "event_source_url", _URL),
)
#: Components of Pinterest's quality score, with their fields.
COMPONENT_FIELDS: Final = {each.key.component: each for each in _MATCH_FIELDS if each.key.component}
#: The components and the other match keys, by the name under which they are counted.
MATCH_FIELDS: Final = COMPONENT_FIELDS | {each.name: each for each in _MATCH_FIELDS if not each.key.component}


def memory_groups(*owners: Owner) -> Mapping[str, tuple[str, ...]]:
    """Return the wire names of fields that identity memory recalls together, by group: of these owners, or of all."""
    groups: dict[str, tuple[str, ...]] = {}
    for each in USER_FIELDS:
        if (group := each.identity.memory_group) and (not owners or each.identity.owner in owners):
            groups[group] = (*groups.get(group, ()), each.wire)
    return MappingProxyType(groups)


def checked_by_name(given: Mapping[str, _Value], names: Collection[str]) -> dict[str, _Value]:
    """Return values by field in the order of `names`. Raise TypeError unless each name has a value, and no other."""
    if differing := given.keys() ^ set(names):
        raise TypeError(f"without a row or without a reader: {', '.join(sorted(differing))}")
    return {name: given[name] for name in names}


#: Names of the fields that are hashed.
HASHED: Final = tuple(each.name for each in USER_FIELDS if each.reading.hashed)
#: Wire names of the fields that distinguish people.
CONTACTS: Final = tuple(each.wire for each in USER_FIELDS if each.identity.identifies)
#: Wire names of personal data that is sent unhashed.
UNHASHED: Final = tuple(
    each.wire for each in USER_FIELDS if each.identity.owner.is_personal and not each.reading.hashed
)
#: The person's place, by which Pinterest decides whether Limited Data Processing applies.
LDP_PLACE: Final = tuple(each for each in USER_FIELDS if each.name in ("state", "country"))
#: Why a checkout without a field is worth less, by field of `custom_data`.
ORDER_DETAILS: Final = {each.name: each.missing for each in CUSTOM_FIELDS if each.missing}
