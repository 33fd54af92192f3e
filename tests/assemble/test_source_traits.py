"""What is known of a source by its name alone: whether its events are trusted, and of which shop they are."""

from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.config import load_settings
from app.core.trust import SourceTraits

FILE = """
name: {name}
kind: segment
authors: {authors}
wait_for_page: {waits}
shop: Berlin
proofs: [{{kind: bearer, secret: {{env: A_SECRET}}}}]
"""
KEYS = {"write_keys": "page:0123456789abcdef,erp:0123456789abcdea", "trusted_senders": "erp"}


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize(
    ("name", "settings", "traits"),
    [
        ("default", {}, SourceTraits(is_trusted=True)),
        ("default", KEYS, SourceTraits(is_trusted=False)),
        ("default", KEYS | {"trusted_senders": "erp,webhook"}, SourceTraits(is_trusted=True)),
        ("page", KEYS, SourceTraits(is_trusted=False)),
        ("erp", KEYS, SourceTraits(is_trusted=True)),
        ("shop", {"sources_dir": True}, SourceTraits(is_trusted=True, shop="Berlin", waits_for_page=False)),
        ("relay", {"sources_dir": True}, SourceTraits(is_trusted=False, shop="Berlin")),
    ],
)
def test_traits(
    name: str,
    settings: dict[str, Any],
    traits: SourceTraits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_running: bool,
) -> None:
    monkeypatch.setenv("A_SECRET", "0123456789abcdef")
    for file, authors, waits in (("shop", "server", "false"), ("relay", "browser", "true")):
        text = FILE.format(name=file, authors=authors, waits=waits)
        (tmp_path / f"{file}.yaml").write_text(text, encoding="utf-8")
    given = load_settings(**(settings | ({"sources_dir": (tmp_path,)} if "sources_dir" in settings else {})))
    running = assemble.running_sources(given, on_fault=print) if is_running else None
    assert assemble.source_traits(given, running)(name) == traits
