"""A short run of the fuzzer; the long one is started by hand (tests/fuzz/fuzz_requests.py)."""

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.process import ROOT, clean_environment
from tests.rounds import Kind

RUNS = 4_000


@pytest.mark.whole
@pytest.mark.prove
@pytest.mark.skipif(find_spec("atheris") is None, reason="NOT FUZZED: atheris is not installed on this platform")
def test_a_short_fuzz_finds_nothing(tmp_path: Path, rounds: Callable[[Kind], int]) -> None:
    runs = RUNS * rounds("fuzzing")
    program = ROOT / "tests" / "fuzz" / "fuzz_requests.py"
    command = [sys.executable, str(program), f"-runs={runs}", "-seed=1"]

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
