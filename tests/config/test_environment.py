"""Secrets from files, and taking up those that have changed."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from app.access.users import Users
from app.config import FOLLOWED, Settings, load_settings
from app.config.environment import SecretWatch
from app.errors import SettingsError
from app.source.auth import HeaderSecret, WriteKeys
from app.source.named_sources import webhook_source
from app.source.signatures import SegmentSignature

STRONG = "0123456789abcdef"


class Followed:
    """Settings whose write keys come from a file, what was taken up of them, and what was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken: list[list[str]] = []
        self.faults: list[str] = []
        self.watch = SecretWatch(load_settings(), FOLLOWED, on_fault=self.faults.append)
        self.watch.tell(self._taker)

    def _taker(self, changed: Settings) -> Callable[[], None]:
        return partial(self.taken.append, sorted(WriteKeys.of(changed).keys))

    def write(self, text: str) -> None:
        """Put a new file in the place of the old one, as secrets are rotated, and look."""
        new = self.path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self.path)
        self.watch.look()


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Followed:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    path = tmp_path / "keys"
    path.write_text(f"shop:{STRONG}\n", encoding="utf-8")
    monkeypatch.setenv("WRITE_KEYS_FILE", str(path))
    monkeypatch.setenv("HOST", "0.0.0.0")
    return Followed(path)


def test_a_changed_file_is_taken_up_once(followed: Followed) -> None:
    followed.watch.look()
    followed.write(f"shop:{STRONG}\napp:{STRONG}-2\n")
    followed.watch.look()
    assert (followed.taken, followed.faults) == ([["app", "shop"]], [])


def test_a_file_that_is_written_in_its_place_is_taken_up_too(followed: Followed) -> None:
    followed.path.write_text(f"new-name-of-it:{STRONG}", encoding="utf-8")
    followed.watch.look()
    assert followed.taken == [["new-name-of-it"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "WRITE_KEYS_FILE: the file is empty"),
        (" \n ", "WRITE_KEYS_FILE: the file is empty"),
        (f"shop:{STRONG},shop:{STRONG}", "WRITE_KEYS: two keys are named shop"),
        ("shop:short", "must have 16 characters or more"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing_and_is_told_once(text: str, told: str, followed: Followed) -> None:
    followed.write(text)
    followed.watch.look()
    assert followed.taken == []
    assert len(followed.faults) == 1
    assert told in followed.faults[0]
    assert not text.strip() or text.strip() not in followed.faults[0]
    followed.write(f"mended:{STRONG}")
    assert followed.taken == [["mended"]]


def test_a_file_that_is_gone_changes_nothing_and_is_taken_up_when_it_is_back(followed: Followed) -> None:
    followed.path.unlink()
    followed.watch.look()
    followed.watch.look()
    assert (followed.taken, len(followed.faults)) == ([], 1)
    assert "No such file" in followed.faults[0]
    followed.write(f"back:{STRONG}")
    assert followed.taken == [["back"]]


def test_a_file_that_is_not_utf_8_changes_nothing_and_is_taken_up_when_it_is_mended(followed: Followed) -> None:
    followed.path.write_bytes(b"shop:\xff\xfe" + STRONG.encode())
    followed.watch.look()
    assert (followed.taken, len(followed.faults)) == ([], 1)
    assert "it is not UTF-8" in followed.faults[0]
    assert STRONG not in followed.faults[0]
    followed.write(f"mended:{STRONG}")
    assert followed.taken == [["mended"]]


def test_where_one_that_takes_refuses_nobody_takes(followed: Followed) -> None:
    def refuse(_: Settings) -> Callable[[], None]:
        raise SettingsError("WRITE_KEY_LIMITS: no key is named shop")

    followed.watch.tell(refuse)
    followed.write(f"app:{STRONG}")
    assert (followed.taken, followed.faults) == ([], ["WRITE_KEY_LIMITS: no key is named shop"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WEBHOOK_SHARED_SECRETS", "second-secret-of-segment"),
        ("WEBHOOK_HEADER", "X-Key: second-value-of-it"),
        ("CONSOLE_USERS", f"ada:operator:{STRONG}\nbob:{STRONG}-b"),
    ],
)
def test_every_followed_secret_reaches_those_that_take(
    name: str, text: str, followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_text(text.replace("second", "first-one").replace("bob", "rob"), encoding="utf-8")
    monkeypatch.setenv(f"{name}_FILE", str(path))
    seen: list[Settings] = []
    watch = SecretWatch(load_settings(), FOLLOWED, on_fault=pytest.fail)
    watch.tell(lambda changed: partial(seen.append, changed))
    path.write_text(text, encoding="utf-8")
    os.utime(path, (1, 1))
    watch.look()
    (changed,) = seen
    proofs = webhook_source(changed, is_open=False).proofs
    found = {
        "WEBHOOK_SHARED_SECRETS": proofs == (SegmentSignature(secrets=(b"second-secret-of-segment",)),),
        "WEBHOOK_HEADER": proofs == (HeaderSecret(header="x-key", values=(b"second-value-of-it",)),),
        "CONSOLE_USERS": Users.of(changed).named("bob") is not None,
    }
    assert found[name]
