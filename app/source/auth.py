"""Authentication of senders: write keys of the Tracking API, and the proofs of named sources and `/webhook`."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

from app.config.settings import SenderSettings
from app.core.events import DEFAULT_SOURCE
from app.core.refusals import FailedCheck
from app.errors import SettingsError

UNKNOWN_KEY_CHECK: Final = FailedCheck("unknown key", "WRITE_KEYS")
MISSING_KEY_CHECK: Final = FailedCheck("missing key", "WRITE_KEYS")


@dataclass(slots=True, kw_only=True)
class WriteKeys:
    """The write keys that are valid now, by the name of the source that has them."""

    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def read(cls, texts: Iterable[str]) -> Self:
        """Read several `name:key`. Raises SettingsError."""
        keys: dict[str, bytes] = {}
        for text in texts:
            name, colon, key = text.partition(":")
            if not colon or not name.strip() or not key.strip():
                raise SettingsError("WRITE_KEYS: write each as `name:key`, separated by commas")
            if name.strip() in keys:
                raise SettingsError(f"WRITE_KEYS: two keys are named {name.strip()}; give each its own name")
            keys[name.strip()] = key.strip().encode()
        return cls(keys=keys)

    @classmethod
    def of(cls, settings: SenderSettings) -> Self:
        """Read those of the settings. Raises SettingsError."""
        return cls.read(key.get_secret_value() for key in settings.write_keys)

    def take(self, other: Self) -> None:
        self.keys = other.keys

    def source(self, *offered: Any) -> str | None:
        """Return the name of the source that has one of the offered keys; None where none has."""
        found = None
        for text in offered:
            if isinstance(text, str) and text:
                for name, key in self.keys.items():  # to the end: the time must not tell which key was near
                    if hmac.compare_digest(text.encode("utf-8", "replace"), key):
                        found = name
        return found


def proves_authors(settings: SenderSettings, source: str) -> bool:
    """Return whether the events of a source without a file are trusted: those of `/webhook`, or of a write key.

    Where nobody has to prove anything, only this machine may send.
    """
    if source == DEFAULT_SOURCE:
        return settings.is_webhook_trusted or not settings.authenticated
    return source in settings.trusted_senders


def basic_user(authorization: str | None) -> str | None:
    """Return the user name of Basic authentication, which is the write key: `base64("key:")` or `base64("key")`.

    None where the header is missing or is something else.
    """
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return None


def basic_credentials(user: str, password: bytes) -> bytes:
    """Return what stands behind `Basic` for a user with this password.

    >>> basic_credentials("shop", b"secret")
    b'c2hvcDpzZWNyZXQ='
    """
    return base64.b64encode(user.encode() + b":" + password)


class SenderProof(Protocol):
    """One thing that each request of a source must prove."""

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        """Return whether the headers leave it possible, before the body is read."""
        ...

    async def holds(self, raw: bytes, size: int, headers: Mapping[str, str], *, now: float) -> bool:
        """Return whether it is trusted for a body that has `size` bytes without gzip; `now` in Unix seconds."""
        ...

    @property
    def header(self) -> str:
        """The header that carries it, in lower case: no mapping gets to see it. "" where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenProof:
    """The proof of a source from which anybody may send."""

    header: str = ""

    def may_hold(self, *_: object) -> bool:
        return True

    async def holds(self, *_: object, **__: object) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PageKey(OpenProof):
    """One of these keys in the query of a request. Pages show the key, so the key identifies nobody."""

    keys: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSecret:
    """A header that holds one of these texts: a secret of its own, a bearer token, Basic authentication."""

    header: str
    values: tuple[bytes, ...] = field(repr=False)
    #: What stands before the text, in any case; `Bearer` or `Basic`. "" where nothing does.
    scheme: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `Name: value` of WEBHOOK_HEADER. Raises SettingsError."""
        name, _, value = text.partition(":")
        if not name.strip() or not value.strip():
            raise SettingsError("WEBHOOK_HEADER: write it as `Name: value`")
        return cls(header=name.strip().lower(), values=(value.strip().encode(),))

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        """Return whether the header holds one of the texts."""
        given = headers.get(self.header, "")
        if self.scheme:
            scheme, _, given = given.partition(" ")
            if scheme.lower() != self.scheme.lower():
                return False
        offered = given.encode("latin-1", "replace").strip()  # as bytes: `\xa0` is space in a text, and part of "à"
        return is_any(offered, self.values)

    async def holds(
        self,
        raw: bytes,  # noqa: ARG002 - the Protocol's
        size: int,  # noqa: ARG002 - likewise
        headers: Mapping[str, str],
        *,
        now: float,  # noqa: ARG002 - likewise
    ) -> bool:
        """Return whether the header holds one of the texts now: secrets may have changed while the body came."""
        return self.may_hold(headers)


def is_any(offered: bytes, known: Iterable[bytes]) -> bool:
    """Return whether it is one of the known; all are looked at, whichever it is."""
    found = False
    for each in known:
        found |= hmac.compare_digest(offered, each)
    return found
