"""What refusals prove, and what they do not: each row is a story of calls."""

from app.sender.bisection import MAX_REMEMBERED, BisectionEvidence
from tests.rows import every_row


def told(*calls: str) -> BisectionEvidence:
    """Tell of calls, one after the other: `+ab` was accepted with a and b in it, `-ab` was refused whole."""
    evidence = BisectionEvidence()
    for call in calls:
        begun = evidence.begin()
        (evidence.accepted if call[0] == "+" else evidence.refused)(list(call[1:]), begun)
    return evidence


@every_row(
    ("story", "is_bad", "why"),
    [
        (["-a"], False, "everything may be refused"),
        (["-a", "-a", "-a"], False, "everything may still be refused"),
        (["+b", "-a"], False, "it may have begun after b"),
        (["-a", "+b"], False, "it may have ended before b"),
        (["-a", "+b", "-a"], True, "no run of refusals goes on across an acceptance"),
        (["-ab", "+b", "-a"], True, "nobody else explains the first refusal"),
        (["-ab", "-a", "+b"], False, "both refusals may be of one run"),
        (["-abc", "+b", "-a"], False, "c may explain the first refusal"),
        (["-abc", "+b", "-a", "+c"], True, "now c does not"),
        (["-abc", "+b", "-a", "-c", "+d"], False, "c still may"),
        (["-abc", "+b", "-a", "-c", "+d", "-a"], True, "refused alone on both sides of d"),
        (["-ab", "+c", "-ab"], False, "it may be b"),
        (["-ab", "+c", "-a"], False, "it may be b, and the last the begin of a run"),
        (["-ab", "+c", "-a", "+b"], True, "it is not b"),
        (["-a", "+a"], False, "it was accepted"),
    ],
)
def test_an_event_is_bad_where_no_single_run_of_refusals_explains_what_was_seen(
    story: list[str], *, is_bad: bool, why: str
) -> None:
    assert told(*story).is_bad("a") == is_bad, why


def test_an_acceptance_counts_where_its_call_was_begun_after_the_refusal_came() -> None:
    evidence = BisectionEvidence()
    early = evidence.begin()
    evidence.refused(["a"], evidence.begin())
    evidence.accepted(["b"], early)  # it may have been judged before
    evidence.refused(["a"], evidence.begin())
    assert not evidence.is_bad("a")


def test_a_refusal_counts_where_its_call_was_begun_after_the_acceptance_came() -> None:
    evidence = BisectionEvidence()
    evidence.refused(["a"], evidence.begin())
    other, again = evidence.begin(), evidence.begin()
    evidence.accepted(["b"], other)
    evidence.refused(["a"], again)  # it may have been judged before
    assert not evidence.is_bad("a")


@every_row(
    ("story", "would"),
    [(["-a"], False), (["-a", "+b"], True), (["-ab", "+c"], False), (["-ab", "+b"], True), (["+b"], False)],
)
def test_it_is_known_when_one_more_refusal_would_tell(story: list[str], *, would: bool) -> None:
    assert told(*story).would_tell("a") == would


def test_a_bad_event_still_explains_the_calls_that_it_was_in() -> None:
    evidence = told("-ab", "-a", "+c", "-a")
    assert evidence.is_bad("a")
    evidence.close(["a"])
    evidence.refused(["b"], evidence.begin())
    assert not evidence.is_bad("b")
    assert not evidence.is_bad("a")


def test_memory_is_bounded() -> None:
    evidence = told("-a", "+b")
    evidence.refused([str(number) for number in range(MAX_REMEMBERED + 1)], evidence.begin())
    evidence.refused(["a"], evidence.begin())
    assert not evidence.is_bad("a")  # forgotten, and to be found out again
    evidence.accepted(["b"], evidence.begin())
    evidence.refused(["a"], evidence.begin())
    assert evidence.is_bad("a")
