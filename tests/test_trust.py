"""What is public changes nothing that is proven: the rule, and every place where two events meet."""

from itertools import product

import pytest

from app.core.trust import may_change


@pytest.mark.parametrize(("by_proven", "of_proven"), tuple(product([True, False], repeat=2)))
def test_only_what_is_public_may_not_change_what_is_proven(*, by_proven: bool, of_proven: bool) -> None:
    assert may_change(by_proven=by_proven, of_proven=of_proven) is not (of_proven and not by_proven)
