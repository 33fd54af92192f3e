"""What the operator decides about sending."""

from tests.sender.claims import a_policy


def test_a_lease_outlasts_the_longest_send() -> None:
    assert a_policy(send_timeout_s=30).lease_s == 90
