"""All settings, read once from the environment into a frozen model."""

import os
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.config.environment import FolderPaths, SecretFiles, Secrets, Texts, bare_secret, faults_of, may_come_from_file
from app.config.misspelt import SettingNames
from app.config.shipped_files import folder_or_shipped
from app.config.validators import (
    Bytes,
    ContentId,
    Count,
    Country,
    Currency,
    Days,
    Hours,
    Seconds,
    SecretWebAddress,
    UsStates,
    WebAddress,
)
from app.errors import SettingsError

#: URL parameters that hold personal data or secrets wherever they stand, compared in any case.
REDACTED_PARAMETERS: Final = (
    *("email", "e", "mail", "user_email", "email_address", "emailaddress"),
    *("phone", "tel", "phone_number", "mobile", "telephone"),
    *("first_name", "last_name", "firstname", "lastname", "dob"),
    *("token", "password"),
)


class AccountSettings(BaseSettings):
    """What is sent to an ad account, and how fast: a file of DESTINATIONS_DIR may say each otherwise."""

    # What is sent
    test_events: Literal["withhold", "send"] = Field("withhold", description="tests, where Pinterest is live")
    crawlers: Literal["withhold", "send"] = Field("withhold", description="events of crawlers, where Pinterest is live")
    default_country: Country | None = Field(None, description="for national phone numbers without a country")
    default_currency: Currency | None = Field(None, description="where neither event nor products name one")
    shop_money: Literal["shop", "presentment"] = Field("shop", description="of Shopify's two amounts, which is sent")
    content_id: ContentId = Field("product_id", description="the id of products: `variant_id`, `sku`, a Liquid text")
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


class DeliverySettings(AccountSettings):
    """How deliveries are sent, and how long sending may take to stop."""

    shutdown_timeout_s: Seconds = Field(20, ge=0, description="to finish what is in flight")

    @property
    def retry_max_age_s(self) -> float:
        """How long after it was enqueued a delivery is tried."""
        return self.retry_max_age_hours * 3_600

    @property
    def lease_s(self) -> float:
        """How long a claim holds without being renewed: longer than the longest send."""
        return 3 * self.send_timeout_s


class InventorySettings(BaseSettings):
    """What is kept of the names under which events arrive."""

    inventory_names: int = Field(
        500, ge=0, le=10_000, description="names of events that are told apart, the rest is one; 0: no inventory"
    )


class AlertSettings(InventorySettings):
    """Where alerts go, and when something is told of events of one name."""

    alert_webhook_url: SecretWebAddress | None = Field(None, description="Slack-compatible; alerts go there")
    public_url: WebAddress | None = Field(None, description="where people reach Pinrelay; alerts link to its console")
    alert_full_hours: Hours = Field(
        24, ge=0, description="told where the backlog is full in less at the last hour's rate; 0: never"
    )
    alert_fall: float = Field(0.5, gt=0, lt=1, description="events of a name in an hour, below this part of the usual")
    alert_surge: float = Field(3, gt=1, le=1_000_000, description="the same, above so many times the usual")
    alert_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="the part of a name's events by exit, or lacking money, by so much above the usual",
    )
    alert_least_events: Count = Field(20, ge=1, description="less events of a name in an hour are too few to judge")

    @property
    def told_full_s(self) -> float:
        """A backlog that is full in less is told."""
        return self.alert_full_hours * 3_600

    @property
    def base_url(self) -> str:
        """PUBLIC_URL without a slash at the end; "" leaves links out."""
        return (self.public_url or "").rstrip("/")


class QuarantineSettings(BaseSettings):
    """What is kept as received, sealed, of events that made no delivery."""

    quarantine_hours: Hours = Field(0, ge=0, description="how long invalid events are kept, sealed; 0: not at all")
    quarantine_key: SecretStr | None = Field(None, min_length=32, description="seals them, see quarantine.md")
    quarantine_names: Texts = Field((), description="names of unmatched events that are kept too")
    quarantine_max_bytes: Bytes = Field(500_000_000, ge=1, description="of all; the oldest go first")

    @property
    def quarantine_s(self) -> float:
        """How long what is kept is kept."""
        return self.quarantine_hours * 3_600


class MemorySettings(QuarantineSettings):
    """What is remembered of people, for how long, and of how many; the quarantine's key may find them as well."""

    remember_days: Days = Field(0, ge=0, description="how long facts of a person complete later events; 0: off")
    remember_click_days: Days = Field(60, gt=0, description="the same of click ids, where it is shorter")
    remember_session_days: Days = Field(7, ge=0, description="events without `userId` are the last user's for so long")
    remember_max_people: Count = Field(1_000_000, ge=1, description="ids in memory; the longest unseen go first")
    remember_users_from: Literal["everyone", "authenticated"] = Field(
        "everyone", description="whose `userId` memory believes; public write keys are no secrets"
    )
    remember_secret: SecretStr | None = Field(None, min_length=32, description="keys the ids in memory, see memory.md")

    @property
    def id_secret(self) -> SecretStr | None:
        """What keys the ids by which people are found in the store: that of memory, else that of the quarantine."""
        return self.remember_secret or self.quarantine_key


class ReportsSettings(BaseSettings):
    """By which token Pinterest's own figures are read; without any nothing is."""

    pinterest_ads_token: SecretStr | None = Field(None, description="with `ads:read`; Pinterest's own figures by it")
    pinterest_client_id: str | None = Field(
        None, description="instead, with the next three: an app whose token renews itself"
    )
    pinterest_client_secret: SecretStr | None = Field(None, description="of that app")
    pinterest_refresh_token: SecretStr | None = Field(None, description="with `ads:read`, to begin with")
    pinterest_reports_key: SecretStr | None = Field(
        None, min_length=32, description="encrypts the renewed token in the store"
    )

    @property
    def reads_reports(self) -> bool:
        """Whether anything is to be read: a token is set, or a part of one."""
        return any(getattr(self, name) for name in ReportsSettings.model_fields)


class SourceSettings(BaseSettings):
    """Which sources there are beside the one that the other settings describe, `default`."""

    sources: Texts = Field((), description="names of sources that are on: shipped ones, or those of SOURCES_DIR")
    sources_dir: FolderPaths = Field((), description="folders of sources; without SOURCES all of theirs are on")

    @property
    def source_folders(self) -> tuple[Path, ...]:
        """Where sources are looked for: those that come with Pinrelay, where SOURCES_DIR names no others."""
        return self.sources_dir or (folder_or_shipped(Path("sources")),)

    @property
    def has_sources(self) -> bool:
        """Whether there are sources with a name."""
        return bool(self.sources or self.sources_dir)


#: Whose files are taken up when they change, beside that of Pinterest's token.
FOLLOWED: Final = ("webhook_shared_secrets", "webhook_header", "write_keys", "console_password", "console_users")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: Of a secret that strangers may try.
MIN_SECRET_CHARACTERS: Final = 16


class Settings(
    DeliverySettings,
    SourceSettings,
    MemorySettings,
    ReportsSettings,
    AlertSettings,
):
    """Everything that can be set. `description` is what docs/settings.md and `pinrelay init` say of it."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    # Pinterest
    pinterest_ad_account_id: str | None = Field(None, pattern=r"^\d{1,18}$", description="digits; with the token: live")
    pinterest_conversion_token: SecretStr | None = Field(None, description="from Ads Manager > Conversions")
    pinterest_api_url: WebAddress = Field("https://api.pinterest.com/v5", description="where Pinterest is")

    # Serving
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    published_on_loopback: bool = Field(default=False, description="the port is reachable from this machine only")
    trusted_proxies: Texts = Field((), description="addresses or networks whose X-Forwarded-For is believed")
    public_hosts: Texts = Field((), description="names that SDKs may be told to send to; the first by default")
    sdk_origins: Texts = Field(
        (), description="origins of pages whose SDKs may send, or `*`; without: any with a write key, else none"
    )
    epik_cookie_domain: str | None = Field(
        None, pattern=r"^[\w-]+(\.[\w-]+)+$", description="of the shop, where `/v1/epik` renews the cookie `_epik`"
    )
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else json")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    # Files
    presets_dir: FolderPaths = Field(
        (Path("presets"),), validate_default=True, description="folders; a later one replaces by file name"
    )
    mappings_dir: FolderPaths = Field(
        (Path("mappings"),), validate_default=True, description="folders of mappings, likewise"
    )
    destinations_dir: FolderPaths = Field((), description="folders of ad accounts, one YAML file each, likewise")

    # Who may send
    webhook_shared_secrets: Secrets = Field((), max_length=2, description="Segment's X-Signature; two while rotating")
    webhook_header: SecretStr | None = Field(None, description="`Name: value` that each webhook request must carry")
    write_keys: Secrets = Field((), description="`name:key` of each SDK source; remove one to revoke it")
    write_key_limits: Texts = Field((), description="`name:events:bytes` a minute by write key; beyond: 429")

    # Bounds of requests
    max_body_bytes: Bytes = Field(8_000_000, ge=1, description="of one request as sent")
    max_unpacked_bytes: Bytes = Field(8_000_000, ge=1, description="of one request, gzip undone")
    max_unpacked_in_flight: Bytes = Field(32_000_000, ge=1, description="bytes of all requests at once, gzip undone")
    max_events: Count = Field(4_000, ge=1, description="in one webhook request")
    max_json_depth: int = Field(64, ge=8, le=500, description="nesting of one event")
    tracking_max_event_bytes: Bytes = Field(32_768, ge=1, description="of one event by the Tracking API")
    tracking_max_batch_bytes: Bytes = Field(512_000, ge=1, description="of one batch by the Tracking API")
    tracking_max_events: Count = Field(2_500, ge=1, description="in one batch by the Tracking API")
    request_timeout_s: Seconds = Field(
        10, gt=0, description="to receive one request whole, or to take a part of an answer"
    )
    max_connections_per_address: Count = Field(
        256, ge=1, description="of one public address to one process; TRUSTED_PROXIES may open more"
    )

    # Consent and routing
    consent_categories: Texts = Field((), description="categories that must all be granted")
    rudder_consent_ids: Texts = Field((), description="RudderStack consent ids of this destination")
    honour_integrations: bool = Field(default=True, description="obey the event's `integrations`")
    integration_names: Texts = Field(
        ("Pinterest Conversions API", "Actions Pinterest Conversions API", "PINTEREST_TAG"),
        description="names of this destination in `integrations`",
    )
    switched_off: Literal["hold", "refuse"] = Field(
        "hold", description="events while a switch is off: keep or withhold"
    )

    # What is sent
    custom_event_names: Texts = Field((), max_length=15, description="advertiser-defined event names")
    redacted_parameters: Texts = Field(REDACTED_PARAMETERS, description="URL parameters whose values are never sent")
    max_event_age_days: Days = Field(7, gt=0, description="older events are invalid, as at Pinterest")

    # Outbox
    outbox_url: str = Field(
        "sqlite:///data/pinrelay.db",
        description="`sqlite:///FILE` or `postgresql://HOST/DATABASE`",
        repr=False,  # a password may stand in it
    )
    outbox_max_backlog: Count | None = Field(
        None, ge=1, description="unsettled deliveries of one ad account, beyond: 503; without: any number"
    )
    outbox_max_backlog_bytes: Bytes | None = Field(
        None, ge=1, description="of their payloads, likewise; without: what the disk has, see operating.md"
    )
    outbox_quick_check_s: Seconds = Field(5, ge=0, description="to look for damage in the file at start-up, at most")
    outbox_reserve_bytes: Bytes = Field(64_000_000, ge=0, description="of the file's disk, freed when it is full")
    dedup_window_hours: Hours | None = Field(
        None, gt=0, description="how long an event is remembered; without: MAX_EVENT_AGE_DAYS (168 hours)"
    )
    order_scope: Literal["account", "source"] = Field("account", description="where an order id is one order")
    dedup_orders: bool = Field(default=True, description="one `checkout` an order_id, from any preset")
    ledger_delivered_days: Days = Field(30, gt=0, description="how long it is known what was delivered")
    ledger_days: Days = Field(30, gt=0, description="how long other outcomes are kept, and orders known again")
    audit_days: Days = Field(365, gt=0, description="how long it is known who did what")
    payload_days: Days = Field(0, ge=0, description="how long settled payloads are kept, without IP and user agent")

    # People
    console_password: SecretStr | None = Field(None, description="of `/console`; without: loopback only")
    console_users: Secrets = Field((), description="`name:role:token` of each; `operator`, or else `viewer`")
    console_user_header: str | None = Field(None, description="names who an authenticating, trusted proxy lets in")
    console_role_header: str | None = Field(None, description="their role, by the same proxy; without: `viewer`")

    @property
    def live(self) -> bool:
        """Whether deliveries go to Pinterest (else to the built-in sandbox)."""
        return self.pinterest_conversion_token is not None

    @property
    def sandboxed(self) -> bool:
        """Whether the built-in sandbox stands for Pinterest: no credentials, and no other address given."""
        return not self.live and self.pinterest_api_url == type(self).model_fields["pinterest_api_url"].default

    @property
    def keeps_while_off(self) -> bool:
        """Whether events that arrive while a switch is off are kept and sent later; else they are withheld."""
        return self.switched_off == "hold"

    def current_token(self) -> SecretStr:
        """Read the token that holds now: a changed PINTEREST_CONVERSION_TOKEN_FILE is taken up without a restart.

        Raises OSError, or ValueError of what is not UTF-8, where the file cannot be read.
        """
        path = os.environ.get("PINTEREST_CONVERSION_TOKEN_FILE")
        if path and not os.environ.get("PINTEREST_CONVERSION_TOKEN"):
            return SecretStr(Path(path).read_text(encoding="utf-8").strip())
        return self.pinterest_conversion_token or SecretStr("")

    @property
    def reachable(self) -> bool:
        """Whether other machines may reach this process."""
        return self.host not in _LOOPBACK and not self.published_on_loopback

    @property
    def authenticated(self) -> bool:
        """Whether senders of events must prove who they are."""
        of_default = self.webhook_shared_secrets or self.webhook_header or self.write_keys
        return bool(of_default or self.has_sources)

    @property
    def sender_headers(self) -> tuple[str, ...]:
        """The header lines that a webhook request must carry, with a placeholder for the secret."""
        name, _, _ = self.webhook_header.get_secret_value().partition(":") if self.webhook_header else ("", "", "")
        return (f"{name.strip()}: YOUR-SECRET",) if name else ()

    @model_validator(mode="after")
    def _credentials_come_together(self) -> Self:
        if (self.pinterest_ad_account_id is None) != (self.pinterest_conversion_token is None):
            raise ValueError(
                "PINTEREST_AD_ACCOUNT_ID and PINTEREST_CONVERSION_TOKEN go together: set both, or none for the sandbox"
            )
        if self.destinations_dir and self.pinterest_ad_account_id is not None:
            raise ValueError(
                "DESTINATIONS_DIR names the ad accounts and their tokens: "
                "take PINTEREST_AD_ACCOUNT_ID and PINTEREST_CONVERSION_TOKEN out"
            )
        return self

    @model_validator(mode="after")
    def _safe_by_default(self) -> Self:
        if self.reachable and not self.authenticated:
            raise ValueError(
                f"HOST={self.host} lets anybody send events: set WEBHOOK_SHARED_SECRETS, WEBHOOK_HEADER or WRITE_KEYS, "
                "or HOST=127.0.0.1, or PUBLISHED_ON_LOOPBACK=true where the port is published on loopback only"
            )
        return self

    @model_validator(mode="after")
    def _strong_where_strangers_may_try(self) -> Self:
        weak = [name for name, secret in self._own_secrets() if len(secret) < MIN_SECRET_CHARACTERS]
        if self.reachable and weak:
            raise ValueError(
                f"HOST={self.host} lets anybody try secrets: each of {', '.join(dict.fromkeys(weak))} needs "
                f"{MIN_SECRET_CHARACTERS} characters or more (`openssl rand -hex 16` makes one)"
            )
        return self

    def _own_secrets(self) -> list[tuple[str, str]]:
        """Return every secret that somebody proves something by, with the name of its setting."""
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
        """Take arguments first, then the environment, then `NAME_FILE` of secrets."""
        return init_settings, env_settings, SecretFiles(settings_cls)


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; `overrides` win.

    Raises SettingsError with one line a fault: the variable, what is wrong. No secret is shown. A variable that is
    almost a setting is a fault.
    """
    faults = setting_names().misspelt(os.environ)
    try:
        settings = Settings(**overrides)
    except ValidationError as exc:
        faults.append(faults_of(exc, Settings))
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


@cache
def setting_names() -> SettingNames:
    """Return the names of all settings as variables, and which of them may come from a file."""
    fields = Settings.model_fields.items()
    secrets = [name.upper() for name, field in fields if may_come_from_file(field)]
    return SettingNames((name.upper() for name, _ in fields), secrets)


def doubtful_variables() -> str:
    """Return a sentence about variables that share only the first word with a setting; "" where there are none."""
    found = setting_names().doubtful(os.environ)
    return f"These variables are no settings, so nothing reads them: {', '.join(found)}" if found else ""
