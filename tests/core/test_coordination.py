"""What every process must know: switches, generation and who lives, over a real outbox. Time is an argument."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app import assemble
from app.access.audit import Audit
from app.core.coordination import Coordination, Switches
from app.errors import CatalogError, Fault, UnknownName
from app.operations.acts import CatalogActs
from app.outbox import Outbox, open_outbox
from app.web.lifespan import _reload
from tests import assembled
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store

PRESETS = ("Checkout", "Lead")
FAULT = Fault(path="/name", message="missing", file="presets/a.yaml")


class Files:
    """Stands for the files on disk: what a reload finds there."""

    def __init__(self, generation: str = "old") -> None:
        self.generation = generation
        self.faulty = False
        self.reads = 0

    def reload(self) -> str:
        self.reads += 1
        if self.faulty:
            raise CatalogError([FAULT])
        return self.generation


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    rules = outbox_rules(dedup_window_s=1)
    store = open_outbox(new_store(tmp_path, "o.db"), rules)
    yield store
    await store.close()


def process(outbox: Outbox, name: str, files: Files) -> Coordination:
    return Coordination(
        outbox, files.reload, presets=lambda: PRESETS, ad_account_ids=(), generation="old", process_id=name, role="all"
    )


async def test_a_switch_is_known_to_other_processes_at_their_next_refresh(outbox: Outbox) -> None:
    here, there = process(outbox, "a", Files()), process(outbox, "b", Files())
    await here.switch(None, on=False)
    await here.switch("Checkout", on=False)

    assert there.why_off("Checkout", "1") is None
    await there.refresh(now=1.0)

    assert there.switches == Switches(destination_off=True, presets_off=frozenset({"Checkout"}))
    assert there.why_off("Lead", "1") == "the destination is switched off"
    await there.switch(None, on=True)
    assert (there.why_off("Lead", "1"), there.why_off("Checkout", "1")) == (None, "the preset is switched off")


@pytest.mark.parametrize(
    ("presets", "said"),
    [
        (PRESETS, 'unknown preset; the nearest is "Checkout"'),
        ((), "unknown preset; none exists so far"),
    ],
)
async def test_a_preset_that_is_unknown_is_not_switched_and_the_nearest_is_named(
    outbox: Outbox, presets: tuple[str, ...], said: str
) -> None:
    here = Coordination(
        outbox, Files().reload, presets=lambda: presets, ad_account_ids=(), generation="old", process_id="a", role="all"
    )

    with pytest.raises(UnknownName) as refused:
        await here.switch("checkuot", on=False)

    assert str(refused.value) == said
    assert await Switches.read(outbox) == Switches()


async def test_an_ad_account_that_is_unknown_is_not_switched(outbox: Outbox) -> None:
    with pytest.raises(UnknownName):
        await process(outbox, "a", Files()).switch(None, on=False, ad_account_id="1002")

    assert await Switches.read(outbox) == Switches()


async def test_a_reload_reaches_every_process(outbox: Outbox) -> None:
    files = Files()
    here, there = process(outbox, "a", files), process(outbox, "b", files)
    files.generation = "new"

    assert await here.reload(now=1.0)
    await there.refresh(now=2.0)

    assert (here.generation, there.generation) == ("new", "new")
    assert [each.generation for each in await there.processes(now=2.0)] == ["new", "new"]


async def test_a_faulty_file_keeps_the_running_catalog_and_says_so(outbox: Outbox) -> None:
    files = Files()
    here = process(outbox, "a", files)
    files.faulty = True

    assert not await here.reload(now=1.0)
    assert (here.generation, here.faults) == ("old", (FAULT,))

    files.faulty = False
    assert await here.reload(now=2.0)
    assert here.faults == ()


async def test_the_faults_of_a_reload_are_known_to_every_process_until_any_process_takes_the_files_up(
    outbox: Outbox,
) -> None:
    files = Files()
    here, there = process(outbox, "a", files), process(outbox, "b", files)
    files.faulty = True
    await here.reload(now=1.0)
    await there.refresh(now=2.0)
    assert (here.faults, there.faults) == ((FAULT,), (FAULT,))

    files.faulty = False  # as they were: the generation is no other
    await there.reload(now=3.0)
    await here.refresh(now=4.0)
    assert (here.faults, there.faults) == ((), ())


async def test_a_process_that_starts_with_good_files_ends_the_faults_that_were_told(outbox: Outbox) -> None:
    files = Files()
    files.faulty = True
    running = process(outbox, "a", files)
    await running.reload(now=1.0)

    await process(outbox, "b", Files()).announce()
    await running.refresh(now=2.0)

    assert running.faults == ()


async def test_a_process_that_cannot_take_up_what_others_run_tells_its_own_faults(outbox: Outbox) -> None:
    await process(outbox, "a", Files("new")).reload(now=1.0)
    files = Files()
    files.faulty = True
    behind, other = process(outbox, "b", files), process(outbox, "c", Files("new"))
    await behind.refresh(now=2.0)
    await other.refresh(now=2.0)
    assert (behind.faults, other.faults) == ((FAULT,), ())

    await process(outbox, "a", Files("old")).reload(now=3.0)  # back to what it runs
    await behind.refresh(now=4.0)
    assert behind.faults == ()


async def test_a_process_whose_files_lag_tries_again_only_now_and_then(outbox: Outbox) -> None:
    ahead, behind_files = Files("new"), Files("old")
    await process(outbox, "a", ahead).reload(now=0.0)
    behind = process(outbox, "b", behind_files)

    for now in (1.0, 2.0, 10.9, 11.0):
        await behind.refresh(now=now)

    assert behind_files.reads == 2
    assert {each.process_id: each.generation for each in await behind.processes(now=11.0)} == {"b": "old"}


async def test_a_clock_that_was_set_back_does_not_keep_a_process_from_trying_again(outbox: Outbox) -> None:
    ahead, behind_files = Files("new"), Files("old")
    await process(outbox, "a", ahead).reload(now=0.0)
    behind = process(outbox, "b", behind_files)

    for now in (90_000.0, 5.0, 6.0):
        await behind.refresh(now=now)

    assert behind_files.reads == 2


async def test_a_starting_process_announces_its_catalog(outbox: Outbox) -> None:
    other = process(outbox, "b", files := Files("new"))
    starting = process(outbox, "a", Files())
    starting.generation = "new"
    await starting.announce()
    await other.refresh(now=1.0)
    assert (other.generation, files.reads) == ("new", 1)


async def test_the_live_tail_is_wanted_of_every_process(outbox: Outbox) -> None:
    here, other = process(outbox, "a", Files()), process(outbox, "b", Files())
    seen = []
    for until in (300.0, 0.0):
        await here.want_tail(until)
        await other.refresh(now=1.0)
        seen.append((here.tail_until, other.tail_until))
    assert seen == [(300.0, 300.0), (0.0, 0.0)]
    assert here.process.startswith("a (")


async def test_a_signal_to_reload_while_the_outbox_is_away_is_logged_and_survived(outbox: Outbox) -> None:
    await outbox.close()
    settings = assembled.settings()
    with capture_logs() as logs:
        here = process(outbox, "a", Files())
        publisher = assemble.publisher(settings, assemble.running_catalog(settings))
        acts = CatalogActs(here, publisher, Audit(outbox, lambda: 1.0))
        await _reload(acts, here)
    assert [line["event"] for line in logs] == ["outbox unavailable"]
