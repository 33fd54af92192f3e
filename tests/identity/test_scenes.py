"""The rules of identity memory, by scenes."""

from collections.abc import Sequence
from typing import Any

from app import identity
from app.config.settings import MemorySettings
from tests.identity.build import Step, told
from tests.identity.deliveries import (
    DELIVERIES,
    a_full_table_of_marks_stops_remembering,
    erasures_are_counted,
    fills,
    groups_are_named_by_members,
    keys_are_hmacs,
    keys_are_of_ids,
)
from tests.identity.scenes import PLAYED
from tests.rows import every_row


@every_row(("steps", "expected", "rules"), [scene[1:] for scene in PLAYED], ids=[scene[0] for scene in PLAYED])
def test_memory_follows_its_rules(steps: Sequence[Step], expected: dict[str, Any], rules: MemorySettings) -> None:
    assert told(steps, rules=rules) == expected


def test_each_scene_stands_once() -> None:
    assert len({name for name, *_ in PLAYED}) == len(PLAYED)


@every_row("delivery", DELIVERIES, ids=[each[0] for each in DELIVERIES])
def test_a_delivery_gets_what_is_its_persons(delivery: Any) -> None:
    assert fills(delivery, identity)


def test_keys_are_digests_under_the_secret_of_the_installation() -> None:
    assert keys_are_hmacs(identity)


def test_what_is_no_id_has_no_key() -> None:
    assert keys_are_of_ids(identity)


def test_an_erasure_answers_how_many_were_forgotten_and_a_second_time_none() -> None:
    assert erasures_are_counted(identity)


def test_a_group_is_named_by_any_of_its_members() -> None:
    assert groups_are_named_by_members(identity)


def test_a_full_table_of_marks_stops_remembering() -> None:
    assert a_full_table_of_marks_stops_remembering(identity)
