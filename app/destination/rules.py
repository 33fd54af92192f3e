"""What the operator may set about the events that are sent."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from app.config.settings import REDACTED_PARAMETERS
from app.core.values.times import DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRules:
    """The settings that change how a Pinterest event is built. Never changes while the process runs."""

    #: ISO 3166 alpha-2: completes national phone numbers of events that name no country. None: they stay as they are.
    default_country: str | None = None
    #: ISO 4217: sent where an event has an amount and names no currency. None: Pinterest takes the ad account's.
    default_currency: str | None = None
    #: Of Shopify's money, send what the customer was shown instead of what the shop books.
    presentment_money: bool = False
    #: Follow Pinterest's literal text for `zip` (digits only), which empties British and Canadian codes.
    zip_digits_only: bool = False
    #: Hash `external_id` in the case it came in, for shops that send the Pinterest cookie `_pin_unauth`.
    external_id_keep_case: bool = False
    #: Advertiser-defined event names, sent beside Pinterest's own.
    custom_event_names: frozenset[str] = frozenset()
    #: Sent as `partner_name` where the mapping gives none.
    partner_name: str | None = None
    #: Older events are invalid, as at Pinterest.
    max_event_age_s: float = 7 * DAY_S
    #: What Global Privacy Control makes of an event: `opt_out`, Limited Data Processing, or nothing.
    gpc: Literal["opt_out", "ldp", "ignore"] = "opt_out"
    #: Codes of US states, such as `CA`, whose events always get Limited Data Processing.
    ldp_states: frozenset[str] = frozenset()
    #: URL parameters whose values are taken out of addresses, in any case.
    redacted_parameters: Collection[str] = REDACTED_PARAMETERS
