"""All settings, read once from the environment into a frozen model."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from app.config.environment import (
    FolderPaths,
    SecretFiles,
    Secrets,
    SettingNames,
    SettingTable,
    Texts,
    TextsOrNone,
    UnreadableFile,
    bare_secret,
    faults_of,
    folder_or_shipped,
    may_come_from_file,
    removed_setting,
)
from app.config.validators import (
    AmountsByCurrency,
    AppCredentials,
    Bytes,
    ContentId,
    Count,
    Country,
    Currency,
    Days,
    FeedAddresses,
    Hours,
    Networks,
    OnLoopback,
    SampleRate,
    Seconds,
    SecretWebAddress,
    Token,
    UsStates,
    WebAddress,
    WithheldKinds,
)
from app.errors import SettingsError

#: URL parameters with personal data or secrets in any URL; compared in any case.
REDACTED_PARAMETERS: Final = (
    *("email", "e", "mail", "user_email", "email_address", "emailaddress"),
    *("phone", "tel", "phone_number", "mobile", "telephone"),
    *("first_name", "last_name", "firstname", "lastname", "dob"),
    *("token", "password"),
)

_DAY_S: Final = 86_400
#: The default limit of the backlog of an ad account if the disk is no limit.
_USUAL_BACKLOG_BYTES: Final = 10_000_000_000
#: The name of the route `/webhook` in TRUSTED_SENDERS.
_WEBHOOK: Final = "webhook"
#: A secret of Standard Webhooks: base64 of at least 24 bytes.
_SIGNING_SECRET: Final = re.compile(
    r"whsec_(?=.{32,})(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII
)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnicalLimits:
    """Limits that operators cannot set. Tests use `RoomSettings.with_limits` for other values."""

    #: Events in a call to Pinterest: the maximum that Pinterest accepts.
    batch_max_events: int = 1_000
    batch_max_bytes: int = 1_000_000
    #: Timeout of a call to Pinterest. The lease of a claim depends on it.
    send_timeout_s: float = 30
    #: Attempts before a delivery becomes a dead letter.
    retry_max_attempts: int = 20
    #: Longest check of the SQLite file at start-up.
    outbox_quick_check_s: float = 5
    #: Reserved disk space of the SQLite file, freed when the disk is full.
    outbox_reserve_bytes: int = 64_000_000
    #: Segment's documented limits of the Tracking API.
    tracking_max_event_bytes: int = 32_768
    tracking_max_batch_bytes: int = 512_000
    tracking_max_events: int = 2_500
    #: Time to receive a request, or for a client to read a part of a response.
    request_timeout_s: float = 10
    #: Open connections of a public address to a process. TRUSTED_PROXIES are exempt.
    max_connections_per_address: int = 256


class RetentionDays(SettingTable):
    """How long data is stored, in days."""

    delivered: Days = Field(default=30, gt=0)
    other: Days = Field(default=30, gt=0)
    audit: Days = Field(default=365, gt=0)
    payload: Days = Field(default=0, ge=0)
    click: Days = Field(default=60, gt=0)
    session: Days = Field(default=7, ge=0)


class AlertLimits(SettingTable):
    """The thresholds of alerts."""

    full_hours: Hours = Field(default=24, ge=0)
    fall: float = Field(default=0.5, gt=0, lt=1)
    surge: float = Field(default=3, gt=1, le=1_000_000)
    share: float = Field(default=0.2, gt=0, lt=1)
    least_events: Count = Field(default=20, ge=1)


class RoomSettings(BaseSettings):
    """The settings of a package, with derived values. Immutable."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    _limits: TechnicalLimits = PrivateAttr(TechnicalLimits())

    @property
    def limits(self) -> TechnicalLimits:
        return self._limits

    def with_limits(self, **changes: Any) -> Self:
        """Return a copy with these technical limits changed."""
        changed = self.model_copy()
        changed._limits = replace(self._limits, **changes)  # noqa: SLF001 - of the same class
        return changed


class BotFilterSettings(RoomSettings):
    """Settings about withholding events of tests and crawlers."""

    withhold: WithheldKinds = Field(
        ("test_events", "crawlers"),
        description="events that are withheld if Pinterest is live, see sources.md; `none`: neither",
    )


class AccountEventSettings(BotFilterSettings):
    """Settings about building the events of an ad account."""

    default_country: Country | None = Field(None, description="country for phone numbers without a country code")
    default_currency: Currency | None = Field(None, description="currency for events without one")
    shop_money: Literal["shop", "presentment"] = Field(
        "shop", description="sent amount of Shopify's `shop_money` and `presentment_money` (shown to the customer)"
    )
    content_id: ContentId = Field(
        "product_id", description="product id: `product_id`, `variant_id`, `sku`, or a Liquid template"
    )
    external_id_keep_case: bool = Field(
        default=False,
        description="keep the case of `external_id`, for shops that send `_pin_unauth`; changes the hashes",
    )
    action_source_by_context: bool = Field(
        default=False, description="send events of apps as `app_ios` or `app_android`"
    )
    partner_name: str | None = Field(None, pattern="^ss-[a-z0-9-]+$", description="value of `partner_name`")
    gpc: Literal["opt_out", "ldp", "ignore"] = Field(
        "opt_out",
        description="effect of Global Privacy Control: opt-out, Limited Data Processing (LDP), or none; see privacy.md",
    )
    ldp_states: UsStates = Field((), description="US states whose events always get LDP, such as CA,CO; see privacy.md")

    @property
    def presentment_money(self) -> bool:
        """Return whether Shopify's customer currency is sent instead of the shop's currency."""
        return self.shop_money == "presentment"


class EventAgeSettings(RoomSettings):
    """The maximum age of events."""

    max_event_age_days: Days = Field(7, gt=0, description="older events are invalid, as at Pinterest")

    @property
    def max_event_age_s(self) -> float:
        return self.max_event_age_days * _DAY_S


class ConversionSettings(AccountEventSettings, EventAgeSettings):
    """Settings about building Pinterest events."""

    # Sent data
    custom_event_names: Texts = Field(
        (), max_length=15, description="names of advertiser-defined events, which Pinterest must know too"
    )
    redacted_parameters: Texts = Field(
        REDACTED_PARAMETERS,
        description="URL parameters whose values are removed, in any case; replaces the default list",
    )


class ConsentSettings(RoomSettings):
    """The consent that is required before an event is sent."""

    consent_categories: Texts = Field(
        (), description="Segment consent categories that must all be granted, see sources.md"
    )
    rudder_consent_ids: Texts = Field((), description="RudderStack consent ids of this destination, see sources.md")
    consent_required: bool = Field(
        default=False,
        description="withhold events of people without an answer, in the event or earlier; see privacy.md",
    )
    suppress: Literal["per_event", "withhold", "fill"] = Field(
        "per_event",
        description="effect of a person's opt-out on later events: `per_event` as its own opt-out, `withhold`, or "
        "`fill`: send, but do not complete from memory; see privacy.md",
    )
    integration_names: TextsOrNone = Field(
        ("Pinterest Conversions API", "Actions Pinterest Conversions API", "PINTEREST_TAG"),
        description="names of this destination in the event's `integrations`; `none`: ignore `integrations`",
    )

    @property
    def keeps_answers(self) -> bool:
        return self.consent_required or self.suppress != "fill"


class AccountSettings(AccountEventSettings):
    """Settings of an ad account, which a file of DESTINATIONS_DIR may override: the sent data, and the rate."""

    batch_max_wait_s: Seconds = Field(1, ge=0, description="longest wait until a batch is full")
    max_calls_in_flight: int = Field(4, ge=1, le=64, description="parallel calls to Pinterest of a process")
    max_calls_per_minute: int = Field(
        4_500,
        ge=1,
        le=5_000,
        description="calls to Pinterest of all processes; Pinterest allows 5,000 for each ad account",
    )
    retry_max_age_hours: Hours = Field(
        72, gt=0, description="age at which a delivery becomes a dead letter, see reliability.md"
    )
    retry_base_s: Seconds = Field(1, gt=0, description="longest first pause between attempts; it doubles")
    retry_max_pause_s: Seconds = Field(
        600, gt=0, description="longest pause between attempts and between probes, also for Retry-After"
    )
    retry_offline_ambiguous: bool = Field(
        default=False, description="send `offline` events again that may have arrived, see cookbook.md"
    )


class DeliverySettings(AccountSettings):
    """Settings about sending deliveries, and about the end of sending."""

    shutdown_timeout_s: Seconds = Field(20, ge=0, description="time to finish open work at the end")

    @property
    def retry_max_age_s(self) -> float:
        return self.retry_max_age_hours * 3_600

    @property
    def lease_s(self) -> float:
        """Return the lease of a claim without renewal: longer than the longest call."""
        return 3 * self.limits.send_timeout_s


class InventorySettings(RoomSettings):
    """Settings about the names of received events."""

    inventory_names: int = Field(
        500,
        ge=0,
        le=10_000,
        description="event names that are counted separately, see inventory.md; others share a count; 0: off",
    )
    feed_url: FeedAddresses = Field(
        (), description="product feeds, read daily to find the products of events; see catalogue.md"
    )


class AlertSettings(InventorySettings):
    """The address of alerts, and the thresholds for event names."""

    alert_webhook_url: SecretWebAddress | None = Field(None, description="address for alerts")
    alert_format: Literal["slack", "json"] = Field(
        "slack", description="`slack`: `text` in one line per alert; `json`: signed incidents, see operating.md"
    )
    alert_webhook_secret: SecretStr | None = Field(
        None, description="secret of the signatures of ALERT_FORMAT=json: `whsec_` and base64"
    )
    public_url: WebAddress | None = Field(None, description="address of the console, for links in alerts")
    alert_limits: Annotated[AlertLimits, NoDecode] = Field(
        AlertLimits(),
        description="`full_hours`: the backlog will be full within this time (0: no alert). For each name of event and "
        "hour, `fall`: below this share of the usual events; `surge`: above this multiple of them; `share`: rise of "
        "the share of an outcome, or of orders without money; `least_events`: minimum of events",
    )

    @property
    def told_full_s(self) -> float:
        return self.alert_limits.full_hours * 3_600

    @property
    def base_url(self) -> str:
        """Return PUBLIC_URL without a trailing slash; "" omits links."""
        return (self.public_url or "").rstrip("/")


class QuarantineSettings(RoomSettings):
    """Settings about encrypted copies of events without a delivery."""

    quarantine_hours: Hours = Field(
        0, ge=0, description="how long invalid events are stored, encrypted, see quarantine.md; 0: off"
    )
    quarantine_key: SecretStr | None = Field(
        None, min_length=32, description="key of the quarantine and of samples, see quarantine.md"
    )
    quarantine_names: Texts = Field((), description="names of unmatched events that are quarantined too")
    quarantine_max_bytes: Bytes = Field(
        500_000_000, ge=1, description="size of the quarantine; the oldest events are deleted first"
    )
    samples_per_name: int = Field(
        0, ge=0, le=100, description="events of each name that are stored for a day, encrypted, to try drafts; 0: none"
    )
    publish_fail_if: Texts = Field(
        (), description="changes of samples that prevent publishing, such as `lost click_id > 1%,money EUR > 2%`"
    )

    @property
    def quarantine_s(self) -> float:
        return self.quarantine_hours * 3_600


class MemorySettings(QuarantineSettings):
    """Settings of identity memory: which data, how long, and of how many people.

    The quarantine's key may find them too.
    """

    remember_days: Days = Field(
        0, ge=0, description="how long data of a person completes later events, see memory.md; 0: off"
    )
    retention_days: Annotated[RetentionDays, NoDecode] = Field(
        RetentionDays(),
        description="how long data is stored: `delivered` events, `other` outcomes and ids of orders, `audit` log, "
        "`payload` of delivered events (without IP and user agent), `click` ids in memory, and how long events without "
        "`userId` belong to the last user (`session`)",
    )
    remember_max_people: Count = Field(
        1_000_000, ge=1, description="ids in memory; the ids without events for longest are deleted first"
    )
    remember_users_from: Literal["everyone", "authenticated"] | None = Field(
        None,
        description="senders whose `userId` memory accepts; default: `authenticated` if a source is trusted, otherwise "
        "`everyone`",
    )
    remember_secret: SecretStr | None = Field(
        None, min_length=32, description="key of the ids in memory, see memory.md"
    )

    @property
    def remember_s(self) -> float:
        return self.remember_days * _DAY_S

    @property
    def click_s(self) -> float:
        """Return how long a click is used: at most as long as any other fact."""
        return min(self.remember_days, self.retention_days.click) * _DAY_S

    @property
    def session_s(self) -> float:
        return self.retention_days.session * _DAY_S

    @property
    def believes_public_keys(self) -> bool:
        """Return whether a `userId` from a public write key is trusted."""
        return self.remember_users_from != "authenticated"

    def lasts_s(self, group: str) -> float:
        """Return how long a fact of this group is used after its last observation, in seconds."""
        return self.click_s if group == "click" else self.remember_s

    @property
    def id_secret(self) -> SecretStr | None:
        """Return the key of people's ids in the store: that of memory, otherwise that of the quarantine."""
        return self.remember_secret or self.quarantine_key


class OutboxSettings(MemorySettings, EventAgeSettings):
    """The store of deliveries: its place, limits, and retention."""

    outbox_url: str = Field(
        "sqlite:///data/pinrelay.db",
        description="`sqlite:///FILE` or `postgresql://HOST/DATABASE`, see outbox.md",
        repr=False,  # a password may be in it
    )
    outbox_max_backlog_bytes: Bytes | None = Field(
        None,
        ge=1,
        description="limit of the unsent payloads of an ad account, then 503; default: the free disk space, or 10 GB "
        "with PostgreSQL or several ad accounts",
    )
    dedup_window_hours: Hours | None = Field(
        None,
        gt=0,
        description="how long an event id is recognised as a duplicate; default: MAX_EVENT_AGE_DAYS (168 hours)",
    )
    order_scope: Literal["account", "source", "none"] = Field(
        "account",
        description="send a single `checkout` for each order id of the ad account, or of each source; `none`: compare "
        "event ids only; see outbox.md",
    )
    order_wait_minutes: float = Field(
        10,
        ge=0,
        le=50,
        description="how long an order waits for the report of the page or of the shop, see twins.md; 0: off",
    )
    unconfirmed_orders: Literal["send", "withhold"] = Field(
        "send",
        description="page orders that the shop does not confirm: send, or withhold in the quarantine; see twins.md",
    )
    tag_event_id: Literal["event_id", "message_id"] = Field(
        "event_id",
        description="event id that the page passes to its tag: the `event_id` of the event, or its `messageId`; see "
        "twins.md",
    )
    destinations_dir: FolderPaths = Field(
        (), description="folders of ad accounts, see destinations.md; a later folder replaces files of the same name"
    )

    @property
    def max_backlog_bytes(self) -> int | None:
        """Return the limit of an ad account.

        `None` if the disk of SQLite is the limit and no other ad account shares it.
        """
        if self.outbox_max_backlog_bytes is not None:
            return self.outbox_max_backlog_bytes
        is_alone = self.outbox_url.startswith("sqlite:") and not self.destinations_dir
        return None if is_alone else _USUAL_BACKLOG_BYTES

    @property
    def dedup_window_s(self) -> float:
        return self.max_event_age_s if self.dedup_window_hours is None else self.dedup_window_hours * 3_600

    @property
    def order_wait_s(self) -> float:
        return self.order_wait_minutes * 60

    @property
    def compares_orders(self) -> bool:
        """Whether a second `checkout` with the same order id is a duplicate."""
        return self.order_scope != "none"

    @property
    def orders_by_source(self) -> bool:
        """Return whether each source has its own order ids; otherwise an id of an ad account is a single order."""
        return self.order_scope == "source"

    @property
    def ledger_delivered_s(self) -> float:
        return self.retention_days.delivered * _DAY_S

    @property
    def ledger_s(self) -> float:
        return self.retention_days.other * _DAY_S

    @property
    def audit_s(self) -> float:
        return self.retention_days.audit * _DAY_S

    @property
    def payload_s(self) -> float:
        return self.retention_days.payload * _DAY_S


class ReportsSettings(RoomSettings):
    """The token for reading Pinterest's reports; without a token none are read."""

    pinterest_ads_token: Token | None = Field(
        None,
        description="token with `ads:read` for Pinterest's figures, and `ads:write` for deletions; see revenue.md",
    )
    pinterest_app: AppCredentials | None = Field(
        None,
        description="instead of PINTEREST_ADS_TOKEN: `id:secret:refresh_token` of an app; needs PINTEREST_REPORTS_KEY",
    )
    pinterest_reports_key: SecretStr | None = Field(
        None, min_length=32, description="encrypts the renewed token of PINTEREST_APP in the store"
    )

    @property
    def reads_reports(self) -> bool:
        """Return whether reports are read: a token, or a part of one, is set."""
        return any(getattr(self, name) for name in ReportsSettings.model_fields)


class ServingSettings(RoomSettings):
    """The address of the process, and its reachability."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    published_on_loopback: OnLoopback = Field(
        default=False,
        description="the port is published on loopback only, so the container's gateway counts as this machine; or the "
        "address of the port; see deploying.md",
    )
    trusted_proxies: Networks = Field((), description="proxies whose X-Forwarded-For is trusted: addresses or networks")

    @property
    def reachable(self) -> bool:
        return self.host not in _LOOPBACK and not self.published_on_loopback


class AccessSettings(ServingSettings):
    """The users of the console."""

    console_password: SecretStr | None = Field(None, description="password of `/console`; default: loopback only")
    console_users: Secrets = Field(
        (), description="`name:role:token` of each person; role `operator` or `viewer`; see operating.md"
    )
    console_user_header: str | None = Field(
        None,
        description="header with the user's name from an authenticating proxy in TRUSTED_PROXIES, see operating.md",
    )
    console_role_header: str | None = Field(
        None,
        description="header with the role from the proxy of CONSOLE_USER_HEADER, or `Name: group`: a header with "
        "groups, and the group of operators; default: `viewer`",
    )

    @property
    def has_tokens(self) -> bool:
        return bool(self.console_password or self.console_users)


class SourceSettings(RoomSettings):
    """The sources with a file, in addition to `default`, which other settings describe."""

    sources: Texts = Field(
        (), description="names of active sources: shipped sources, or those in SOURCES_DIR; see named-sources.md"
    )
    sources_dir: FolderPaths = Field((), description="folders of sources; without SOURCES all of them are active")

    @property
    def source_folders(self) -> tuple[Path, ...]:
        """Return the folders of sources: the shipped ones unless SOURCES_DIR is set."""
        return self.sources_dir or (folder_or_shipped(Path("sources")),)

    @property
    def has_sources(self) -> bool:
        return bool(self.sources or self.sources_dir)


class SenderSettings(SourceSettings, ServingSettings):
    """The authentication of senders, and the limits of requests."""

    # Senders
    webhook_shared_secrets: Secrets = Field(
        (), max_length=2, description="secrets for Segment's X-Signature; two during a rotation"
    )
    webhook_header: SecretStr | None = Field(None, description="`Name: value` that each webhook request must carry")
    write_keys: Secrets = Field((), description="`name:key` of each SDK source; remove one to revoke it")
    trusted_senders: Texts = Field(
        (),
        description="senders that no page and no app can use: names of write keys, and `webhook` for `/webhook`; see "
        "trust.md",
    )
    write_key_limits: Texts = Field(
        (),
        description="`name:events:bytes` a minute for a write key, `name@address:...` for each address, then 429; see "
        "sources.md",
    )
    max_public_order_value: AmountsByCurrency = Field(
        (), description="`USD:1000`: public orders with a larger amount are withheld; see trust.md"
    )

    # Limits of requests
    max_decompressed_bytes: Bytes = Field(
        8_000_000, ge=1, description="size of a request, both as sent and decompressed"
    )
    max_events_per_request: Count = Field(4_000, ge=1, description="events in a request to `/webhook`")
    sdk_origins: Texts = Field(
        (), description="origins of pages whose SDKs may send, or `*`; default: any with a write key, otherwise none"
    )

    @property
    def authenticated(self) -> bool:
        """Return whether senders of events must authenticate."""
        of_default = self.webhook_shared_secrets or self.webhook_header or self.write_keys
        return bool(of_default or self.has_sources)

    @property
    def is_webhook_trusted(self) -> bool:
        """Return whether the events of `/webhook` are trusted, because only servers create them."""
        return _WEBHOOK in self.trusted_senders

    @property
    def webhook_takes_events(self) -> bool:
        """Return whether events can arrive at `/webhook`: it has a secret, or authentication is off."""
        return bool(self.webhook_shared_secrets or self.webhook_header) or not self.authenticated

    @property
    def max_decompressed_in_flight(self) -> int:
        """Limit of all open requests of a process together, decompressed, in bytes: four of the largest requests."""
        return 4 * self.max_decompressed_bytes

    @property
    def public_order_limits(self) -> dict[str, Decimal]:
        """Return the maximum amount of a public order by currency; other currencies have no limit."""
        return {text.partition(":")[0]: Decimal(text.partition(":")[2]) for text in self.max_public_order_value}

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(key.get_secret_value().partition(":")[0].strip() for key in self.write_keys)

    @property
    def page_origins(self) -> tuple[str, ...]:
        return self.sdk_origins or (("*",) if self.authenticated else ())

    @property
    def webhook_header_name(self) -> str:
        return self.webhook_header.get_secret_value().partition(":")[0].strip() if self.webhook_header else ""

    @property
    def sender_headers(self) -> tuple[str, ...]:
        """Return the header lines of a webhook request, with a placeholder for the secret."""
        return (f"{self.webhook_header_name}: YOUR-SECRET",) if self.webhook_header_name else ()


#: Secrets whose files are reloaded after a change, in addition to Pinterest's token.
FOLLOWED: Final = ("webhook_shared_secrets", "webhook_header", "write_keys", "console_password", "console_users")
#: The minimum length of a secret that strangers may guess.
MIN_SECRET_CHARACTERS: Final = 16


class Settings(
    DeliverySettings,
    OutboxSettings,
    ReportsSettings,
    AlertSettings,
    ConversionSettings,
    ConsentSettings,
    AccessSettings,
    SenderSettings,
):
    """All settings. `description` is the text in docs/settings.md and `pinrelay init`."""

    # Pinterest
    pinterest_ad_account_id: str | None = Field(
        None, pattern=r"^\d{1,18}$", description="1 to 18 digits; with the token, events go to Pinterest"
    )
    pinterest_conversion_token: Token | None = Field(None, description="from Ads Manager > Conversions")
    pinterest_api_url: WebAddress = Field("https://api.pinterest.com/v5", description="address of Pinterest's API")

    # Server
    public_hosts: Texts = Field((), description="hosts that SDKs may send to; the first is the default; see sources.md")
    epik_cookie_domain: str | None = Field(
        None,
        pattern=r"^[\w-]+(\.[\w-]+)+$",
        description="domain of the shop, where `/v1/epik` renews the cookie `_epik`; see browser-helper.md",
    )
    tag_check: bool = Field(
        default=False,
        description="accept reports of `/pinrelay.js` about calls of Pinterest's tag, see browser-helper.md",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto`: text on a terminal, otherwise json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is logged")
    log_successes: SampleRate = Field(
        "all",
        description="requests and deliveries without a fault that are logged: `all`, `none`, or every Nth as `1/N`",
    )

    # Files
    presets_dir: FolderPaths = Field(
        (Path("presets"),),
        validate_default=True,
        description="folders of presets; a later folder replaces files of the same name",
    )
    mappings_dir: FolderPaths = Field(
        (Path("mappings"),),
        validate_default=True,
        description="folders of mappings; a later folder replaces files of the same name",
    )
    geoip_db: Path | None = Field(
        None, description="MaxMind file that gives LDP_STATES the state of events without a state"
    )
    # Routing
    events_while_off: Literal["delay", "withhold"] = Field(
        "delay", description="events that arrive while a switch is off: send later, or withhold"
    )

    @property
    def log_successes_each(self) -> int:
        """Return which successes are logged: each N-th; 0 for none."""
        words = {"all": 1, "none": 0}
        return words[self.log_successes] if self.log_successes in words else int(self.log_successes.removeprefix("1/"))

    @property
    def live(self) -> bool:
        """Return whether deliveries go to Pinterest (otherwise to the built-in sandbox)."""
        return self.pinterest_conversion_token is not None

    @property
    def sandboxed(self) -> bool:
        """Return whether the built-in sandbox replaces Pinterest: no credentials, and no other address is set."""
        return not self.live and self.pinterest_api_url == type(self).model_fields["pinterest_api_url"].default

    @property
    def keeps_while_off(self) -> bool:
        """Return whether events received while a switch is off are stored and sent later.

        Otherwise they are withheld.
        """
        return self.events_while_off == "delay"

    def current_token(self) -> SecretStr:
        """Return the current token: a changed PINTEREST_CONVERSION_TOKEN_FILE needs no restart.

        Raises OSError if the file is unreadable, or ValueError if it is not UTF-8.
        """
        if (path := self.token_file) is not None:
            return SecretStr(path.read_text(encoding="utf-8").strip())
        return self.pinterest_conversion_token or SecretStr("")

    @property
    def token_file(self) -> Path | None:
        """Return the file of Pinterest's token; `None` if a variable has the token."""
        path = os.environ.get("PINTEREST_CONVERSION_TOKEN_FILE")
        return Path(path) if path else None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if faults := [*self._contradictions()]:
            raise ValueError("\n".join(faults))
        return self

    def _contradictions(self) -> Iterator[str]:
        """Yield the faults of contradictory settings; each fault lists all settings that it is about."""
        if (self.pinterest_ad_account_id is None) != (self.pinterest_conversion_token is None):
            yield (
                "PINTEREST_AD_ACCOUNT_ID and PINTEREST_CONVERSION_TOKEN go together: set both, or none for the sandbox"
            )
        if self.destinations_dir and self.pinterest_ad_account_id is not None:
            yield (
                "DESTINATIONS_DIR already names the ad accounts and their tokens: "
                "remove PINTEREST_AD_ACCOUNT_ID and PINTEREST_CONVERSION_TOKEN"
            )
        secret = self.alert_webhook_secret.get_secret_value() if self.alert_webhook_secret else ""
        if self.alert_format == "json" and not _SIGNING_SECRET.fullmatch(secret):
            yield (
                "ALERT_FORMAT=json signs alerts: set ALERT_WEBHOOK_SECRET to `whsec_` and base64 of at least 24 bytes "
                "(`openssl rand -base64 32` makes them)"
            )
        if self.unconfirmed_orders == "withhold" and not self.quarantine_hours:
            yield "UNCONFIRMED_ORDERS=withhold would lose orders: set QUARANTINE_HOURS and QUARANTINE_KEY"
        if unknown := set(self.trusted_senders) - {*self.key_names, _WEBHOOK}:
            yield (
                f"TRUSTED_SENDERS: no write key is named {', '.join(sorted(unknown))}: use names of WRITE_KEYS, or "
                f"{_WEBHOOK}; the file of a source has `authors` instead"
            )
        if self.is_webhook_trusted and _WEBHOOK in self.key_names:
            yield f"TRUSTED_SENDERS: {_WEBHOOK} is the route and a write key: give the key another name in WRITE_KEYS"
        if self.reachable and not self.authenticated:
            yield (
                f"HOST={self.host} lets anyone send events: set WEBHOOK_SHARED_SECRETS, WEBHOOK_HEADER or WRITE_KEYS; "
                "or HOST=127.0.0.1; or PUBLISHED_ON_LOOPBACK=true if the port is published on loopback only"
            )
        weak = [name for name, secret in self._own_secrets() if len(secret) < MIN_SECRET_CHARACTERS]
        if self.reachable and weak:
            yield (
                f"HOST={self.host} lets anyone guess secrets: {', '.join(dict.fromkeys(weak))} must have "
                f"{MIN_SECRET_CHARACTERS} characters or more (`openssl rand -hex 16` makes one)"
            )

    def _own_secrets(self) -> list[tuple[str, str]]:
        """Return every authentication secret, with the name of its setting."""
        one = {"WEBHOOK_HEADER": self.webhook_header, "CONSOLE_PASSWORD": self.console_password}
        several = {"WEBHOOK_SHARED_SECRETS": self.webhook_shared_secrets, "WRITE_KEYS": self.write_keys}
        found = [(name, each) for name, each in one.items() if each]
        found += [(name, each) for name, secrets in several.items() for each in secrets]
        found += [("CONSOLE_USERS", each) for each in self.console_users]
        return [(name, bare_secret(name, each.get_secret_value())) for name, each in found]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' hook passes it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' hook passes it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then the environment, then `NAME_FILE` of secrets."""
        return init_settings, env_settings, SecretFiles(settings_cls)


class _UncheckedSettings(Settings):
    """Settings without the check for contradictions, to find further faults."""

    def _contradictions(self) -> Iterator[str]:
        return iter(())


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; `overrides` win.

    Raises SettingsError with a line for each fault: the variable, the fault, and the remedy. No secret is shown. A
    variable similar to a setting is a fault.
    """
    settings, faults, _ = read_settings(**overrides)
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def read_settings(**overrides: Any) -> tuple[Settings, list[str], set[str]]:
    """Return the settings, all faults, and the names of the settings with faults.

    A setting with a fault has its default, so that the others can be checked.
    """
    known = setting_names()
    faults = [*known.removed(os.environ), *known.misspelt(os.environ), *known.doubled(os.environ, overrides)]
    kind: type[Settings] = Settings
    wrong: set[str] = set()
    while True:
        try:
            return kind(**overrides | {name: Settings.model_fields[name].default for name in wrong}), faults, wrong
        except UnreadableFile as exc:
            found, names = [str(exc)], {exc.name}
        except ValidationError as exc:
            found = faults_of(exc, Settings).splitlines()
            names = {str(fault["loc"][0]) for fault in exc.errors() if fault["loc"]}
            kind = kind if names else _UncheckedSettings
        faults += without_follow_ups(found, wrong)
        wrong |= names


def without_follow_ups(faults: Iterable[str], wrong: Collection[str]) -> list[str]:
    """Return the faults that do not mention settings that are known to be wrong."""
    named = re.compile(rf"\b(?:{'|'.join(wrong)})\b", re.IGNORECASE)
    return [fault for fault in faults if not wrong or not named.search(fault)]


#: The settings that a test of a file may change.
_ABOUT_EVENTS: Final = (*ConversionSettings.model_fields, *ConsentSettings.model_fields)


def event_settings_of(settings: Settings) -> dict[str, str | bool | float]:
    """Return the settings about events without a default value, in the form of a test file."""
    usual, found = settings_of_test({}), {}
    for name in _ABOUT_EVENTS:
        value = getattr(settings, name)
        if value != getattr(usual, name):
            found[name.upper()] = ",".join(map(str, value)) if isinstance(value, tuple) else value
    return found


def settings_of_test(given: Mapping[str, str | bool | float]) -> Settings:
    """Return the default settings with those of a test of a file, independent of the environment.

    Raises SettingsError.
    """
    if removed := [f"{name}: {found}" for name in given if (found := removed_setting(name))]:
        raise SettingsError("\n".join(removed))
    known = {name.upper() for name in _ABOUT_EVENTS}
    if unknown := [name for name in given if name not in known | {"PINTEREST_API_URL"}]:
        raise SettingsError(f"{unknown[0]}: a test can only change settings about events, such as DEFAULT_COUNTRY")
    changes: dict[str, Any] = {
        name.lower(): str(each).lower() if isinstance(each, bool) else str(each) for name, each in given.items()
    }
    try:
        return _without_environment()(**changes)
    except ValidationError as exc:
        raise SettingsError(faults_of(exc, Settings)) from exc


@cache
def _without_environment() -> type[Settings]:
    class DefaultSettings(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del settings_cls
            return (init_settings,)

    return DefaultSettings


@cache
def setting_names() -> SettingNames:
    """Return the names of all settings as variables, and those that may come from a file."""
    fields = Settings.model_fields.items()
    secrets = [name.upper() for name, field in fields if may_come_from_file(field)]
    return SettingNames((name.upper() for name, _ in fields), secrets)


def doubtful_variables() -> str:
    """Return a sentence about variables that share only the first word with a setting; "" if there are none."""
    found = [f"{name} (nearest: {near})" for name, near in setting_names().doubtful(os.environ).items()]
    return f"These variables are not settings of Pinrelay and are ignored: {', '.join(found)}" if found else ""
