"""Pinterest's reading API, computed from the sandbox's recorded events; as strict as its schema."""

import re
import secrets
from base64 import b64decode
from binascii import Error as NoBase64
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.answers import account_refusal, error, json_answer, token_shown
from app.sandbox.record import Record

_LASTS_S: Final = 2_592_000


class TokensGiven:
    """The valid refresh and access tokens, and their renewal."""

    def __init__(self, first: SecretStr | None, clock: Callable[[], float]) -> None:
        """Use the first refresh token; with `None` all refresh and access tokens are accepted."""
        self._takes_any = first is None
        #: The newest token, and its predecessor, which is valid until the newest is used.
        self._refresh_tokens = [first.get_secret_value()] if first else []
        self._expires_at: dict[str, float] = {}
        self._scopes: dict[str, str] = {}
        self._clock = clock

    def holds(self, access_token: str) -> bool:
        return self._takes_any or self._expires_at.get(access_token, 0) > self._clock()

    def may(self, scope: str, access_token: str) -> bool:
        """Return whether an access token has a scope; a token from elsewhere has all scopes."""
        return scope in re.split("[, ]", self._scopes.get(access_token, scope))

    async def give(self, request: Request) -> Response:
        """Exchange a refresh token for new tokens: 401 for a wrong client, 400 for a wrong request."""
        if not _is_signed(request.headers.get("authorization", "")):
            return error(401)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "refresh_token":
            return error(400, "Invalid request: grant_type is not one that the sandbox knows")
        given = form.get("refresh_token", "")
        if not given or (not self._takes_any and given not in self._refresh_tokens):
            return error(400, "Invalid request: the refresh token is not known, or was used before")
        access, following = (f"{kind}_{secrets.token_hex(8)}" for kind in ("pina", "pinr"))
        self._refresh_tokens = [following, given]
        self._expires_at[access] = self._clock() + _LASTS_S
        self._scopes[access] = form.get("scope", "ads:read,ads:write")
        return json_answer(
            {
                "response_type": "refresh_token",
                "access_token": access,
                "token_type": "bearer",
                "expires_in": _LASTS_S,
                "scope": self._scopes[access],
                "refresh_token": following,
            }
        )


def _is_signed(header: str) -> bool:
    scheme, _, coded = header.partition(" ")
    try:
        name, _, secret = b64decode(coded).decode().partition(":")
    except (NoBase64, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and bool(name and secret)


_DAY: Final = r"\d{4}-\d\d-\d\d"
_WINDOW: Final = "0|1|7|14|30|60"
#: By route: parameter -> whether it is required, and its pattern.
_EQS: Final = {
    "lookback_period": (True, "1d|14d"),
    "source_platform": (False, "WEB|MOBILE(_ANDROID|_IOS)?|OFFLINE|PINTEREST_(WEB|ANDROID|IOS)|POINT_OF_SALE"),
    "ingestion_source": (False, "TAG|MMP|FILE_UPLOAD|CONVERSIONS_API|NATIVE"),
}
_ANALYTICS: Final = {
    "start_date": (True, _DAY),
    "end_date": (True, _DAY),
    "columns": (True, "[A-Z0-9_]+(,[A-Z0-9_]+)*"),
    "granularity": (True, "TOTAL|DAY|HOUR|WEEK|MONTH"),
    "click_window_days": (False, _WINDOW),
    "engagement_window_days": (False, _WINDOW),
    "view_window_days": (False, _WINDOW),
    "conversion_report_time": (False, "TIME_OF_AD_ACTION|TIME_OF_CONVERSION"),
    "reporting_timezone": (False, "PINTEREST_TIME_ZONE|AD_ACCOUNT_TIME_ZONE"),
}
#: Quality component -> the part of an event, and the member in it.
_SHOWN_BY: Final = {
    "external_event_id": ("", "event_id"),
    "hashed_email": ("user_data", "em"),
    "hashed_maid": ("user_data", "hashed_maids"),
    "ip_address": ("user_data", "client_ip_address"),
    "user_agent": ("user_data", "client_user_agent"),
    "advertiser_external_id": ("user_data", "external_id"),
    "click_id_epik": ("user_data", "click_id"),
    "order_id": ("custom_data", "order_id"),
    "order_value": ("custom_data", "value"),
    "product_id": ("custom_data", "content_ids"),
    "source_url": ("", "event_source_url"),
}
_PLATFORMS: Final = {"app_ios": "MOBILE_IOS", "app_android": "MOBILE_ANDROID", "offline": "OFFLINE"}
_FEW: Final = 50
_TAG: Final = "2614324385652"
_MAX_DAYS: Final = 90
_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The ad account of the sandbox, and its requirements for calls."""

    #: `None` accepts all.
    ad_account_id: str | None = None
    #: `None` accepts all that are not empty.
    token: SecretStr | None = None
    #: The advertiser's own names, in addition to the standard ones.
    event_names: Collection[str] = ()
    #: The refresh token for access tokens to the figures; `None`: all access tokens are accepted.
    refresh_token: SecretStr | None = None
    #: The time zone of its days, such as `America/Los_Angeles`; "": none.
    time_zone: str = ""
    #: The rate limit of its figures; above it: 429.
    reads_per_minute: int = 1_000
    #: Refused reports, and deletion requests -> their status; the ad account itself is "".
    refused_reports: Mapping[str, int] = field(default_factory=dict)


class AdsFigures:
    """Pinterest's reporting API, as a client sees it."""

    def __init__(self, record: Record, account: Account, clock: Callable[[], float]) -> None:
        self._record = record
        self._own = account
        self._tokens = TokensGiven(account.refresh_token, clock)
        self._reads: Counter[int] = Counter()
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the routes of the figures."""
        account = "/v5/ad_accounts/{ad_account_id}"
        return [
            Route(account, self._reading({}, self._account)),
            Route(f"{account}/conversion_eqs", self._reading(_EQS, self._quality)),
            Route(f"{account}/analytics", self._reading(_ANALYTICS, self._analytics)),
            Route(f"{account}/advertiser_defined_events", self._reading({}, self._names)),
            Route(f"{account}/conversion_tags/ocpm_eligible", self._reading({}, self._optimal)),
            Route("/v5/oauth/token", self._tokens.give, methods=["POST"]),
        ]

    def _reading(
        self, known: Mapping[str, tuple[bool, str]], work: Callable[[Request], Response]
    ) -> Callable[[Request], Any]:
        async def read(request: Request) -> Response:
            return self._refusal(request) or _misasked(request.query_params, known) or work(request)

        return read

    def deletion_refusal(self, request: Request, is_change: bool) -> Response | None:  # noqa: FBT001 - see `Refusal`
        """Check the client of a deletion request as `_refusal` does: the conversion token is refused.

        A change needs a scope.
        """
        token = token_shown(request)
        if self._own.token is not None and token == self._own.token.get_secret_value():
            return error(401)
        may_not = is_change and not self._tokens.may("ads:write", token)
        return self._refusal(request) or (error(403) if may_not else None)

    def _refusal(self, request: Request) -> Response | None:
        token = token_shown(request)
        if not token or not self._tokens.holds(token):
            return error(401)
        minute = int(self._clock() // 60)
        self._reads[minute] += 1
        if self._reads[minute] > self._own.reads_per_minute:
            return error(429, retry_after=60)
        report = request.url.path.partition("/ad_accounts/")[2].partition("/")[2].partition("/")[0]
        if status := self._own.refused_reports.get(report):
            return error(status)
        return account_refusal(request, self._own.ad_account_id)

    def _account(self, request: Request) -> Response:
        account = request.path_params["ad_account_id"]
        zone = {"time_zone": self._own.time_zone} if self._own.time_zone else {}
        return json_answer({"id": account, "name": "Sandbox", "country": "DE", "currency": "EUR", **zone})

    def _optimal(self, request: Request) -> Response:
        names = sorted({event["event_name"].upper() for event in self._record.events(limit=_KEPT)})
        tag = {"ad_account_id": request.path_params["ad_account_id"], "conversion_tag_id": _TAG, "created_time": 0}
        return json_answer({_TAG: [{"conversion_event": name, **tag} for name in names]})

    def _names(self, _: Request) -> Response:
        return json_answer(
            {"items": [{"name": name, "mapped_conversion_type": None} for name in self._own.event_names]}
        )

    def _quality(self, request: Request) -> Response:
        by_platform: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for event in self._record.events(limit=_KEPT):
            by_platform[_PLATFORMS.get(event["action_source"], "WEB")].append(event)
        asked = request.query_params
        scores = [
            {
                "overall_status": "GOOD",
                "ingestion_source": "CONVERSIONS_API",
                "source_platform": platform,
                "lookback_period": asked["lookback_period"],
                "quality_components": {name: _component(name, events) for name in _SHOWN_BY},
            }
            for platform, events in sorted(by_platform.items())
            if asked.get("source_platform", platform) == platform
        ]
        return json_answer(scores if asked.get("ingestion_source", "CONVERSIONS_API") == "CONVERSIONS_API" else [])

    def _analytics(self, request: Request) -> Response:
        asked = request.query_params
        try:
            first, last = (
                datetime.strptime(asked[name], "%Y-%m-%d").replace(tzinfo=UTC) for name in ("start_date", "end_date")
            )
        except ValueError:
            return error(400, "Invalid request: start_date and end_date must be dates")
        in_zone = asked.get("reporting_timezone") == "AD_ACCOUNT_TIME_ZONE" and self._own.time_zone
        zone: tzinfo = ZoneInfo(self._own.time_zone) if in_zone else UTC
        today = datetime.fromtimestamp(self._clock(), UTC)
        if not timedelta(0) <= last - first <= timedelta(_MAX_DAYS) or today - first > timedelta(_MAX_DAYS + 1):
            return error(400, "Invalid ad account analytics parameters.")
        dates = [(first + timedelta(day)).strftime("%Y-%m-%d") for day in range((last - first).days + 1)]
        sums = self._attributed(asked["columns"].split(","), zone)
        account = {"AD_ACCOUNT_ID": request.path_params["ad_account_id"]}
        if asked["granularity"] == "DAY":
            return json_answer([{**account, "DATE": date, **sums.get(date, {})} for date in dates])
        whole: Counter[str] = Counter()
        for date in dates:
            whole.update(sums.get(date, {}))
        return json_answer([{**account, **whole}])

    def _attributed(self, columns: Sequence[str], zone: tzinfo) -> dict[str, Counter[str]]:
        sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for event in self._record.events(limit=_KEPT):
            if event["event_name"] == "checkout" and event["user_data"].get("click_id"):
                worth = int(Decimal(event.get("custom_data", {}).get("value") or 0) * 1_000_000)
                date = datetime.fromtimestamp(event["event_time"], zone).strftime("%Y-%m-%d")
                found = {"TOTAL_CHECKOUT": 1, "TOTAL_CLICK_CHECKOUT": 1, "TOTAL_CHECKOUT_VALUE_IN_MICRO_DOLLAR": worth}
                sums[date].update({name: number for name, number in found.items() if name in columns})
        return sums


def _misasked(asked: Mapping[str, str], known: Mapping[str, tuple[bool, str]]) -> Response | None:
    """Check the query: all parameters are known and valid, and none is missing."""
    for name, value in asked.items():
        if name not in known:
            return error(400, f"Invalid request: {name} is not a parameter of this")
        if not re.fullmatch(known[name][1], value):
            return error(400, f"Invalid request: {name} is not one of its values")
    missing = next((name for name, (is_required, _) in known.items() if is_required and name not in asked), None)
    return error(400, f"Invalid request: {missing} is required") if missing else None


def _component(name: str, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    part, member = _SHOWN_BY[name]
    overlap = {} if part else {"overlap": 0}
    low = {"id": f"{name}_low", "name": "Low coverage", "reason": f"Fewer than half of the events carry {name}"}
    counts, with_it = Counter(event["event_name"] for event in events), Counter[str]()
    for event in events:
        with_it[event["event_name"]] += member in (event.get(part, {}) if part else event)
    return {
        event: {"coverage": coverage, "issues": [] if coverage >= _FEW else [low]} | overlap
        for event, count in counts.items()
        for coverage in [round(100 * with_it[event] / count, 1)]
    }
