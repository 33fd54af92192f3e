"""docs/sources.md speaks of what there is."""

import re
from pathlib import Path

from app.config import Settings
from app.source.responses import REFUSALS

TEXT = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", TEXT))


def test_every_setting_it_names_exists() -> None:
    fields = {name.upper() for name in Settings.model_fields}

    assert {word.removesuffix("_FILE") for word in WORDS} <= fields


def test_it_names_every_setting_of_the_front_door() -> None:
    door = ("webhook_", "write_", "max_", "consent_", "rudder_", "honour_", "integration_")
    delivery = {"MAX_CALLS_IN_FLIGHT", "MAX_CALLS_PER_MINUTE", "MAX_EVENT_AGE_DAYS"}
    named = {name.upper() for name in Settings.model_fields if name.startswith((*door, "trusted_"))}

    assert named - delivery <= WORDS


def test_it_explains_every_status_but_those_of_the_sdks_settings_and_of_named_sources() -> None:
    assert all(f"| {refusal.status} |" in TEXT for refusal in REFUSALS if refusal.status not in {404, 405, 415, 421})
