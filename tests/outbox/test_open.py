"""OUTBOX_URL names the engine and its store."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import OutboxUnavailable, SettingsError
from app.outbox import open_outbox
from tests.outbox.build import At, rules
from tests.rows import every_row


@every_row("url", ["", "sqlite://", "sqlite:///", "sqlite:file.db", "postgres://host", "file.db"])
def test_a_url_of_no_engine_is_refused_with_the_forms_that_are_known(url: str) -> None:
    with pytest.raises(SettingsError, match="sqlite:///FILE"):
        open_outbox(url, rules())


@pytest.mark.parametrize("url", ["postgresql://user:secret@[host/", "postgresql://user:secret%zz@host/"])
def test_a_url_that_postgresql_cannot_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="postgresql://USER:PASSWORD@HOST") as refused:
        open_outbox(url, rules())
    assert "secret" not in str(refused.value)


def test_postgresql_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("app.outbox.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "app.outbox.postgres", None)
    with pytest.raises(SettingsError, match=r"pinrelay\[postgres\]"):
        open_outbox("postgresql://one,two/pinrelay", rules())


async def test_a_relative_file_is_made_with_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await open_outbox("sqlite:///data/pinrelay.db", rules()).close()
    assert (tmp_path / "data" / "pinrelay.db").is_file()


@pytest.mark.slow
def test_an_engine_is_imported_only_when_it_is_opened() -> None:
    code = (
        "import app.outbox, sys; sys.exit(any(f'app.outbox.{name}' in sys.modules for name in ('sqlite', 'postgres')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_closed_outbox_says_so_and_may_be_closed_again(at: At) -> None:
    await at.outbox.close()
    await at.outbox.close()
    with pytest.raises(OutboxUnavailable, match="closed"):
        await at.enqueue()
    with pytest.raises(OutboxUnavailable, match="closed"):
        await at.outbox.delivery("1")


async def test_a_healthy_outbox_passes_its_check(at: At) -> None:
    await at.outbox.check()
