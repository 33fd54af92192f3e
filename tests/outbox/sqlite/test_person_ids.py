"""What is remembered of an id is found by a number, and never taken for what is remembered of another id."""

from hashlib import sha256
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.core.people import PeopleChanges, PersonChange, SuppressionChange
from app.outbox import open_outbox
from app.outbox.sqlite.database import person_id
from tests.outbox.build import NOW, rules

KEY = sha256(b"ann").hexdigest()
#: Begins as KEY does, as far as the number goes.
TWIN = KEY[:15] + KEY[:14:-1]
ANN, BOB = (f'{{"facts": {{"em": {{"members": {{}}, "at": {at}, "by": "page"}}}}}}' for at in (1, 2))


@given(st.text(min_size=1))
def test_every_text_has_a_number_that_sqlite_can_keep(text: str) -> None:
    number = person_id(text)
    assert number is not None
    assert -(2**63) <= number < 2**63
    assert person_id(text) == number


def test_numbers_of_keys_are_in_their_order_behind_that_of_no_text() -> None:
    keys = sorted(sha256(bytes([number])).hexdigest() for number in range(200))
    numbers = [person_id(key) or 0 for key in ["", *keys]]
    assert numbers == sorted(set(numbers))
    assert person_id(None) is None


def change(key: str, revision: int, record: str | None, linked_to: str | None = None) -> PeopleChanges:
    linked_at = NOW if linked_to else None
    person = PersonChange(
        key=key,
        revision=revision,
        record=record,
        linked_to=linked_to,
        linked_at=linked_at,
        seen_at=NOW,
        stale_at=NOW + 9,
    )
    return PeopleChanges(people=[person], suppressions=[SuppressionChange(key=key, was=None, now=None)])


async def test_whose_key_has_the_number_of_anothers_is_not_remembered(path: Path) -> None:
    assert person_id(KEY) == person_id(TWIN)
    outbox = open_outbox(f"sqlite:///{path}", rules(remember_max_people=10), clock=lambda: NOW)

    async def known() -> list[tuple[str, int, float]]:
        return [
            (each.key, each.revision, each.record.facts["em"].at) for each in (await outbox.people([KEY, TWIN])).people
        ]

    await outbox.enqueue([], [], [], now=NOW, people=change(KEY, 0, ANN))
    for people in (change(TWIN, 0, BOB), change(TWIN, 0, None)):
        await outbox.enqueue([], [], [], now=NOW, people=people)
        assert await known() == [(KEY, 1, 1)]
    await outbox.enqueue([], [], [], now=NOW, people=change(KEY, 1, None))
    await outbox.enqueue([], [], [], now=NOW, people=change(TWIN, 0, BOB))
    assert await known() == [(TWIN, 1, 2)]
    await outbox.close()
