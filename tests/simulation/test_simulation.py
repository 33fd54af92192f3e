"""Whatever goes wrong, in whatever order: what was acknowledged arrives once, or is dead for a reason that is one."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process import ROOT
from tests.rounds import Kind
from tests.simulation.simulate import ANSWERED, KINDS, Played, play
from tests.simulation.test_mutants import ANSWERING, MUTANTS

#: So many in `make test`, thirty times as many in `make prove`.
SEEDS = 100
ONE = os.environ.get("SEED")


def digest(played: Played) -> str:
    """What happened, in one text."""
    history = played.history
    calls = [(f"{call.began_at:.6f}", call.life.number, call.events, call.taken) for call in history.calls]
    states = sorted((each.event_id, each.state, each.reason, each.attempts) for each in history.deliveries)
    return repr((calls, states, [(life.began_at, life.broke_at) for life in history.lives]))


@pytest.mark.prove
@pytest.mark.slow
def test_nothing_is_lost_or_sent_twice_whatever_goes_wrong(
    tmp_path: Path, rounds: Callable[[Kind], int], record_figure: Callable[[str, object], None]
) -> None:
    seeds = range(int(ONE), int(ONE) + 1) if ONE else range(SEEDS * rounds("seeds"))
    found: list[str] = []
    kinds: Counter[str] = Counter()
    events = calls = lives = 0
    for seed in seeds:
        played = play(seed, tmp_path)
        kinds.update(played.kinds)
        events, calls = events + len(played.history.acknowledged), calls + len(played.history.calls)
        lives += len(played.history.lives)
        found += [f"SEED={seed} ({', '.join(played.kinds)}): {fault}" for fault in played.faults[:3]]
    assert found == []
    if not ONE:
        assert set(KINDS) <= kinds.keys()
    record_figure("simulation", f"{len(seeds)} runs, {events} events, {calls} calls, {lives} processes")


@pytest.mark.whole
@pytest.mark.parametrize("seed", [3, 83])
def test_a_seed_is_one_run_in_any_process(tmp_path: Path, seed: int) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.simulation.simulate import play;"
        "from tests.simulation.test_simulation import digest;"
        "sys.stdout.write(digest(play(int(sys.argv[1]), Path(sys.argv[2]))))"
    )
    folder = tmp_path / "other"
    folder.mkdir()
    other = subprocess.run(
        [sys.executable, "-c", code, str(seed), folder],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = digest(play(seed, tmp_path))
    assert here == digest(play(seed, tmp_path))
    assert here == other.stdout


@pytest.mark.prove
@pytest.mark.slow
def test_what_a_browser_said_no_to_is_not_sent_whatever_process_dies(
    tmp_path: Path, rounds: Callable[[Kind], int], record_figure: Callable[[str, object], None]
) -> None:
    found: list[str] = []
    seeds, withheld, calls = 12 * rounds("seeds"), 0, 0
    for seed in range(seeds):
        kinds = ANSWERED[seed % len(ANSWERED)]
        history = (played := play(seed, tmp_path, kinds=kinds, answers=True)).history
        calls += len(history.calls)
        withheld += len(history.acknowledged.keys() - {each.event_id for each in history.deliveries})
        found += [f"seed {seed} ({', '.join(kinds)}): {fault}" for fault in played.faults[:3]]
    assert found == []
    assert withheld > seeds
    record_figure("simulation of answers", f"{seeds} runs, {calls} calls, {withheld} events withheld")


def test_what_the_mutants_of_make_prove_replace_still_has_its_name() -> None:
    for _, _, mutant in (*MUTANTS.values(), *ANSWERING.values()):
        with mutant():
            pass
