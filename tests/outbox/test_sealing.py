"""Events are encrypted so that only the key opens them."""

from base64 import b64decode, b64encode

from app.outbox.sealed_events import Sealer

KEY = "a key of the quarantine, long enough"
EVENT = {"type": "track", "event": "Order Completed", "properties": {"email": "ann@shop.example"}}


def test_what_is_sealed_opens_again_and_shows_nothing_until_then() -> None:
    sealed = Sealer(KEY).seal(EVENT)
    assert sealed is not None
    assert b"ann" not in b64decode(sealed)
    assert Sealer(KEY).open(sealed) == EVENT
    assert sealed != Sealer(KEY).seal(EVENT)


def test_another_key_and_what_was_changed_do_not_open() -> None:
    sealed = Sealer(KEY).seal(EVENT)
    assert sealed is not None
    assert Sealer(KEY + "!").open(sealed) is None
    packed = bytearray(b64decode(sealed))
    packed[20] ^= 1
    assert Sealer(KEY).open(b64encode(packed).decode()) is None


def test_an_event_that_cannot_be_written_is_not_sealed() -> None:
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    assert Sealer(KEY).seal({"type": "track", "deep": deep}) is None
