"""Which answer counts, and for which deliveries an opt-out holds: random answers and deliveries, by both engines alike.

The simulation lets browsers, users and shops answer and order in any order, and keeps what waits across answers. A
model, which is written otherwise, says what may be sent. Mutants of the rules show that it notices each of them.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from app.core import consent
from app.core.consent import PUBLIC, Answer, Answers, Subject, bits_of, is_lifted, objections, verdict
from app.outbox import open_outbox
from tests.outbox.build import rules
from tests.rounds import LEVEL, examples
from tests.rows import every_row

USERS, BROWSERS, CONTACTS = ("u1", "u2"), ("b1", "b2", "b3"), ("c1",)
TOTALS = ("USD 20.00", "USD 0.01")


def an_answer(rng: Random, at: float) -> list[Answer]:
    """What one event answers, about all its ids."""
    user, browser = rng.choice((*USERS, "")), rng.choice((*BROWSERS, ""))
    total = rng.choice(("", *TOTALS))
    ids = [user, browser, *rng.sample(CONTACTS, rng.randrange(2)), *rng.sample(("order", "token"), rng.randrange(3))]
    answer = Answer(
        key="",
        author=browser or user,
        user=user,
        is_trusted=rng.random() < 0.4,
        is_opt_out=rng.random() < 0.6,
        kind=rng.choice(("category", "category", "opt_out", "device")),
        at=at,
        source=rng.choice(("", "shop")),
    )
    of_order = ("order", "token")
    return [replace(answer, key=key, total=total if key in of_order else "") for key in ids if key]


def a_subject(rng: Random) -> Subject:
    is_trusted = rng.random() < 0.5
    return Subject(
        is_trusted=is_trusted,
        user=rng.choice((*USERS, "")),
        browser=rng.choice((*BROWSERS, "")),
        contacts=tuple(rng.sample(CONTACTS, rng.randrange(2))),
        token=rng.choice(("token", "")),
        order=rng.choice(("order", "")),
        totals=TOTALS[:1] if is_trusted else rng.choice((TOTALS[:1], TOTALS[1:])),
    )


def holding(said: list[Answer], subject: Subject) -> set[tuple[str, float]]:
    """Return author and time of the opt-outs that hold for a delivery, straight from the rules."""
    found = set()
    for place, no in enumerate(said):
        same = [each for each in said if (each.key, each.author, each.is_trusted) == (no.key, no.author, no.is_trusted)]
        newest = max(same, key=lambda each: (each.at, each.is_opt_out, -said.index(each)))
        lifted = any(
            not yes.is_opt_out
            and yes.at > no.at
            and (yes.is_trusted or not no.is_trusted)
            and ((yes.author == no.author and yes.author) or (yes.user and yes.user in (no.user, no.key)))
            for yes in said[place + 1 :]
        )
        if no.is_opt_out and newest is no and not lifted and is_about(no, subject):
            found.add((no.author, no.at))
    return found


def is_about(no: Answer, subject: Subject) -> bool:
    if no.key not in (subject.user, subject.browser, *subject.contacts, subject.token, subject.order):
        return False
    if not subject.is_trusted or no.is_trusted:
        return True
    by_browser = no.key == subject.browser and bool(subject.user)
    by_token = no.key == subject.token
    return by_browser or by_token or (no.key == subject.order and no.total in subject.totals)


def disagreements(seed: int, *, count: int = 12) -> list[Any]:
    """Where the code and the model say otherwise, after each of some answers that come in the order of their times."""
    rng = Random(seed)
    said: list[Answer] = []
    answers = Answers()
    wrong: list[Any] = []
    for step in range(count):
        given = an_answer(rng, 10.0 * step + rng.randrange(3))
        said += given
        answers.add(given)
        for _ in range(4):
            subject = a_subject(rng)
            found = {(no.author, no.at) for no in objections(answers, subject)}
            if found != holding(said, subject):
                wrong.append((step, subject, found, holding(said, subject)))
    return wrong


@pytest.mark.slow
def test_a_no_holds_as_the_rules_say() -> None:
    assert [found for seed in range(examples(400)) if (found := disagreements(seed))] == []


def _mutant(name: str, do: Callable[..., Any]) -> Any:
    return pytest.param(name, do, id=f"{name}: {do.__doc__}")


def lifts_trusted(no: Answer, yes: Answer) -> bool:
    """a public yes lifts a trusted no"""
    return is_lifted(replace(no, is_trusted=False), yes)


def lifts_of_browser_only(no: Answer, yes: Answer) -> bool:
    """an opt-in of the user lifts nothing of other browsers"""
    return is_lifted(no, replace(yes, user=""))


def lifts_of_user_only(no: Answer, yes: Answer) -> bool:
    """an opt-in of the browser lifts nothing of its user"""
    return is_lifted(no, replace(yes, author=""))


def holds_for_all(no: Answer, subject: Subject) -> bool:
    """a public no holds for every trusted event"""
    del no, subject
    return True


def holds_for_claimed(no: Answer, subject: Subject) -> bool:
    """a public no holds for the user whom it claims"""
    return consent._holds(no, subject) or no.key == subject.user


def holds_for_any_order(no: Answer, subject: Subject) -> bool:
    """a public no holds for the order of another total"""
    return consent._holds(no, subject) or no.key == subject.order


def holds_for_browser(no: Answer, subject: Subject) -> bool:
    """a public no holds for trusted events without a user"""
    return consent._holds(no, subject) or no.key == subject.browser


def holds_without_token(no: Answer, subject: Subject) -> bool:
    """a public no does not hold for the trusted order of the same token"""
    return consent._holds(no, replace(subject, token="-"))


@pytest.mark.parametrize(
    ("name", "do"),
    [
        _mutant("is_lifted", lifts_trusted),
        _mutant("is_lifted", lifts_of_browser_only),
        _mutant("is_lifted", lifts_of_user_only),
        _mutant("_holds", holds_for_all),
        _mutant("_holds", holds_for_claimed),
        _mutant("_holds", holds_for_any_order),
        _mutant("_holds", holds_for_browser),
        _mutant("_holds", holds_without_token),
    ],
)
def test_each_planted_fault_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str, do: Callable[..., Any]) -> None:
    rules_before = consent._holds
    if name == "_holds":
        monkeypatch.setattr(consent, "_holds", lambda no, subject: _with(rules_before, do, no, subject))
    else:
        monkeypatch.setattr(consent, "is_lifted", do)
    assert any(disagreements(seed) for seed in range(300))


def _with(rules_before: Callable[..., bool], do: Callable[..., bool], no: Answer, subject: Subject) -> bool:
    """Do a planted fault, which may ask the rules as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consent, "_holds", rules_before)
        return do(no, subject)


@every_row(
    ("kinds", "kept"),
    [
        (("category", "opt_out"), "category"),
        (("opt_out", "category"), "category"),
        (("opt_out", "device"), "opt_out"),
        (("category", "yes", "opt_out"), "opt_out"),
        (("category", "yes", "device"), "device"),
    ],
)
def test_a_later_no_makes_no_stricter_one_weaker(kinds: tuple[Any, ...], kept: str) -> None:
    answers = Answers()
    for at, kind in enumerate(kinds):
        said = Answer(key="k", author="b", is_trusted=False, is_opt_out=kind != "yes", at=at)
        answers.add([replace(said, kind=kind) if said.is_opt_out else said])
    assert [(each.kind, each.at) for each in answers.about(["k"])] == [(kept, len(kinds) - 1)]


@pytest.mark.parametrize(("at", "lifts"), [(4, False), (5, False), (5.5, True)])
def test_only_a_newer_yes_lifts_a_no(at: float, *, lifts: bool) -> None:
    no = Answer(key="k", author="b", is_trusted=False, is_opt_out=True, at=5)
    assert is_lifted(no, replace(no, is_opt_out=False, at=at)) is lifts
    assert not is_lifted(replace(no, is_opt_out=False), replace(no, is_opt_out=False, at=at))


@every_row(
    ("kinds", "reach", "expected"),
    [
        ((), "per_event", "send"),
        (("device",), "per_event", "send"),
        (("opt_out",), "per_event", "opt_out"),
        (("category",), "per_event", "withhold"),
        (("opt_out", "category"), "per_event", "withhold"),
        (("device", "opt_out"), "per_event", "opt_out"),
        (("device",), "withhold", "withhold"),
        (("opt_out",), "withhold", "withhold"),
    ],
)
def test_what_a_no_does(kinds: tuple[Any, ...], reach: Any, expected: str) -> None:
    no = Answer(key="k", author="b", is_trusted=False, is_opt_out=True, at=1)
    what, by = verdict([replace(no, kind=kind) for kind in kinds], reach)
    assert (what, by is None) == (expected, expected == "send")


@pytest.mark.slow
async def test_the_store_keeps_answers_as_the_rules_apply_them(outbox_url: str) -> None:
    """Also those for trusted events, and whatever time they bear; what is new is told to each process once."""
    outbox = open_outbox(outbox_url, rules(), clock=lambda: 0)
    keys = [*USERS, *BROWSERS, *CONTACTS, "order", "token"]
    for seed in range(60 if LEVEL == "prove" else 6):
        rng = Random(seed)
        names = {key: f"{seed}{key}" for key in keys} | {"": ""}
        answers, after = Answers(), (await outbox.consent_keys("0"))[1]
        told: dict[str, int] = {}
        for _ in range(25):
            given = [
                replace(
                    each,
                    key=names[each.key],
                    author=names[each.author],
                    user=names[each.user],
                    for_trusted=not each.is_trusted and rng.random() < 0.2,
                )
                for each in an_answer(rng, rng.randrange(40) / 4)
            ]
            if given:
                await outbox.write_consents(given)
            answers.add(given)
            if rng.random() < 0.3:
                new, after = await outbox.consent_keys(after)
                told.update(new)
        new, after = await outbox.consent_keys(after)
        told.update(new)
        wanted = sorted(names[key] for key in keys)
        found = await outbox.consents(wanted)
        assert found == sorted(answers.about(wanted), key=lambda each: (each.key, each.author, each.is_trusted))
        opt_outs: dict[str, int] = {}
        for each in found:
            opt_outs[each.key] = opt_outs.get(each.key, 0) | (bits_of(each) if each.is_opt_out else 0)
        assert {key: told[key] for key in opt_outs} == opt_outs
    await outbox.close()


async def test_what_follows_an_erased_yes_is_told_to_each_process(outbox_url: str) -> None:
    outbox = open_outbox(outbox_url, rules(), clock=lambda: 0)
    yes = Answer(key="k1", author="b1", user="u1", is_trusted=False, is_opt_out=False, at=1)
    await outbox.write_consents([replace(yes, key="k0"), yes])
    keys, after = await outbox.consent_keys("0")
    assert sorted(keys) == [("k0", 0), ("k1", 0)]
    assert await outbox.forget_opt_ins(["b1"]) == 2
    await outbox.write_consents([replace(yes, key="k2", is_opt_out=True)])
    assert (await outbox.consent_keys(after))[0] == [("k2", 4 | PUBLIC)]
    assert await outbox.forget_opt_ins(["b1", "k2", "u1"]) == 0, "an opt-out stays"
    await outbox.close()


async def test_answers_at_once_by_two_processes_leave_the_newest(outbox_url: str) -> None:
    one, other = (open_outbox(outbox_url, rules(), clock=lambda: 0) for _ in range(2))
    no = Answer(key="", author="b1", user="u1", is_trusted=False, is_opt_out=True, at=0)
    keys = [f"k{number}" for number in range(20)]
    for turn in range(5):
        ours = [replace(no, key=key, at=2.0 * turn) for key in keys]
        theirs = [replace(no, key=key, at=2.0 * turn + 1, is_opt_out=False) for key in reversed(keys)]
        await asyncio.gather(one.write_consents(ours), other.write_consents(theirs))
        assert {(each.is_opt_out, each.at) for each in await one.consents(keys)} == {(False, 2.0 * turn + 1)}
    await one.close()
    await other.close()
