"""The ad accounts of deliveries: that of the settings, or those of DESTINATIONS_DIR."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from app.catalog.destinations import DestinationFile, TokenPlace, faults_of_names, load_destinations
from app.config import Settings
from app.config.validators import bare_token
from app.core.events import DEFAULT_SOURCE
from app.core.pages import AccountView
from app.destination.client import TokenSource
from app.errors import CatalogError, Fault

#: The ad account if there are no credentials.
SANDBOX_AD_ACCOUNT_ID = "1000000000001"
_NO_TOKEN = SecretStr("sandbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """An ad account with its settings."""

    #: "" if the settings configure a single ad account.
    name: str
    ad_account_id: str
    #: Those of the process, overridden by the destination's own.
    settings: Settings
    token: TokenSource
    #: The file of the token; `None` if a variable has the token.
    token_file: Path | None = None
    #: The sources whose events it receives; `None`: all.
    sources: frozenset[str] | None = None
    #: The presets that send to it; `None`: all.
    presets: frozenset[str] | None = None
    #: Its file sets the product id, which then overrides the sources.
    owns_content_id: bool = False

    @property
    def view(self) -> AccountView:
        """Return the ad account with its own age limit of deliveries."""
        return AccountView(
            ad_account_id=self.ad_account_id,
            name=self.name,
            live=not self.settings.sandboxed,
            retry_max_age_s=self.settings.retry_max_age_s,
        )


def destinations(settings: Settings, environ: Mapping[str, str] = os.environ) -> tuple[Destination, ...]:
    """Return at least one ad account. Raises CatalogError with all faults of all files in DESTINATIONS_DIR."""
    if not settings.destinations_dir:
        token = settings.current_token if settings.live else _NO_TOKEN
        account = settings.pinterest_ad_account_id or SANDBOX_AD_ACCOUNT_ID
        file = settings.token_file if settings.live else None
        return (Destination(name="", ad_account_id=account, settings=settings, token=token, token_file=file),)
    files = {path: spec for path, spec in load_destinations(settings.destinations_dir).items() if spec.enabled}
    faults = [fault for path, spec in files.items() for fault in _faults_of_token(path, spec, environ)]
    if faults:
        raise CatalogError(faults)
    return tuple(_destination(spec, settings, environ) for spec in files.values())


def account_names(settings: Settings) -> dict[str, str]:
    """Return the names of destinations by ad account, including disabled ones; empty if the settings configure one.

    Needs no token. Raises CatalogError.
    """
    files = load_destinations(settings.destinations_dir) if settings.destinations_dir else {}
    return {spec.ad_account_id: spec.name for spec in files.values()}


def check_presets(settings: Settings, presets: frozenset[str]) -> None:
    """Raise CatalogError if a file of DESTINATIONS_DIR contains a preset that is not among these."""
    _check(settings, "presets", presets)


def check_sources(settings: Settings, sources: Collection[str]) -> None:
    """Raise CatalogError if a file contains a source that is not among these, `default`, or one with a write key."""
    _check(settings, "sources", {*key_sources(settings), *sources})


def key_sources(settings: Settings) -> tuple[str, ...]:
    """Return the names of the sources without a file: the default one, and those of write keys."""
    return tuple(dict.fromkeys((DEFAULT_SOURCE, *settings.key_names)))


def _check(settings: Settings, member: Literal["presets", "sources"], known: Collection[str]) -> None:
    files = load_destinations(settings.destinations_dir) if settings.destinations_dir else {}
    if faults := faults_of_names(files, member, known):
        raise CatalogError(faults)


def _destination(spec: DestinationFile, settings: Settings, environ: Mapping[str, str]) -> Destination:
    token = _token_of(spec.token, environ) if spec.token and spec.mode == "live" else _NO_TOKEN
    own = spec.own_settings | {"pinterest_ad_account_id": spec.ad_account_id}
    if spec.mode == "live":
        own["pinterest_conversion_token"] = token() if callable(token) else token
    else:
        own["pinterest_api_url"] = Settings.model_fields["pinterest_api_url"].default
    return Destination(
        name=spec.name,
        ad_account_id=spec.ad_account_id,
        settings=settings.model_copy(update=own),
        token=token,
        token_file=Path(spec.token.file) if spec.token and spec.token.file and spec.mode == "live" else None,
        sources=frozenset(spec.sources) if spec.sources else None,
        presets=frozenset(spec.presets) if spec.presets else None,
        owns_content_id="content_id" in spec.own_settings,
    )


def _faults_of_token(path: str, spec: DestinationFile, environ: Mapping[str, str]) -> list[Fault]:
    place = spec.token
    if place is None or spec.mode == "sandbox":
        return []
    if place.env is not None:
        given, told = environ.get(place.env), f"the environment variable {place.env} is not set"
    else:
        try:
            given, told = _read(Path(place.file or "")), "the file is empty"
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
            given, told = None, f"{place.file} cannot be read: {why}"
    try:
        told = "" if given and bare_token(given) else told
    except ValueError as exc:
        told = str(exc)
    return [Fault(path=f"/token/{'env' if place.env else 'file'}", message=told, file=path)] if told else []


def _token_of(place: TokenPlace, environ: Mapping[str, str]) -> TokenSource:
    """Return the token of a variable, or a function that reads its file."""
    if place.env is not None:
        return SecretStr(environ[place.env])
    file = Path(place.file or "")
    return lambda: SecretStr(_read(file))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()
