"""A short run of each fuzzer; the long ones are started by hand, as each program says at its top."""

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.process import ROOT, clean_environment
from tests.rounds import Kind


@pytest.mark.whole
@pytest.mark.prove
@pytest.mark.skipif(find_spec("atheris") is None, reason="NOT FUZZED: atheris is not installed on this platform")
@pytest.mark.parametrize(
    ("program", "runs"), [("fuzz_trigger.py", 20_000), ("fuzz_mapping.py", 4_000), ("fuzz_requests.py", 4_000)]
)
def test_a_short_fuzz_finds_nothing(program: str, runs: int, tmp_path: Path, rounds: Callable[[Kind], int]) -> None:
    runs *= rounds("fuzzing")
    command = [sys.executable, str(Path(__file__).with_name(program)), f"-runs={runs}", "-seed=1"]

    run = subprocess.run(
        command,
        cwd=tmp_path,
        env=clean_environment(pythonpath=ROOT),
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )

    assert run.returncode == 0, run.stderr[-4000:]
    assert f"Done {runs} runs" in run.stderr
