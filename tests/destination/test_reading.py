"""A value that cannot be read is told by the member that it is of, and by the place where it stood."""

import pytest

from app.core.values.candidates import Candidate
from app.destination.reading import usable_candidate


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (": a number left out", " (properties.a): a number left out"),
        ("[0].item_price: a text left out", "[0].item_price (properties.a): a text left out"),
        (".email: a list of 2: left out", ".email (properties.a): a list of 2: left out"),
    ],
)
def test_the_place_stands_behind_the_member(problem: str, told: str) -> None:
    candidates = iter([Candidate("properties.a", 1), Candidate("properties.b", 2)])
    value, notes = usable_candidate(candidates, lambda given: (None, (problem,)) if given == 1 else (given, ()), ())
    assert (value, notes) == (2, (told,))
