"""The settings that an ad account may have of its own. `Settings` inherits them; a destination's file goes first."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from app.config.bounded_numbers import Bytes, Count, Hours, Seconds
from app.config.checked_texts import Country, Currency, UsStates


class AccountSettings(BaseSettings):
    """What is sent to an ad account, and how fast: a file of DESTINATIONS_DIR may say each otherwise."""

    # What is sent
    test_events: Literal["withhold", "send"] = Field("withhold", description="tests, where Pinterest is live")
    crawlers: Literal["withhold", "send"] = Field("withhold", description="events of crawlers, where Pinterest is live")
    default_country: Country | None = Field(None, description="for national phone numbers without a country")
    default_currency: Currency | None = Field(None, description="where neither event nor products name one")
    shop_money: Literal["shop", "presentment"] = Field("shop", description="of Shopify's two amounts, which is sent")
    zip_digits_only: bool = Field(default=False, description="Pinterest's literal text; breaks UK and Canadian codes")
    external_id_keep_case: bool = Field(default=False, description="for shops that send `_pin_unauth`")
    action_source_by_context: bool = Field(default=False, description="what an app sends is `app_ios`, `app_android`")
    partner_name: str | None = Field(None, pattern="^ss-[a-z0-9-]+$", description="sent as `partner_name`")
    gpc: Literal["opt_out", "ldp", "ignore"] = Field("opt_out", description="what Global Privacy Control does")
    ldp_states: UsStates = Field((), description="US states whose events always get LDP, e.g. CA,CO")

    # Delivery
    batch_max_events: int = Field(1_000, ge=1, le=1_000, description="in one call")
    batch_max_bytes: Bytes = Field(1_000_000, ge=1_000, description="in one call")
    batch_max_wait_s: Seconds = Field(1, ge=0, description="how long a batch waits to fill")
    max_calls_in_flight: int = Field(4, ge=1, le=64, description="by one process")
    max_calls_per_minute: int = Field(4_500, ge=1, le=5_000, description="by all processes together")
    send_timeout_s: Seconds = Field(30, gt=0, description="for one call to Pinterest")
    retry_max_attempts: Count = Field(20, ge=1, description="then the delivery is dead")
    retry_max_age_hours: Hours = Field(72, gt=0, description="since it was received; then dead")
    retry_base_s: Seconds = Field(1, gt=0, description="first pause at most; doubles")
    retry_max_pause_s: Seconds = Field(600, gt=0, description="longest pause, also for Retry-After")
    retry_offline_ambiguous: bool = Field(default=False, description="resend `offline` events that may have arrived")
