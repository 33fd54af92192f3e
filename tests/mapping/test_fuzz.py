"""A short run of the fuzzer; the long one is started by hand (tests/fuzz/fuzz_mapping.py)."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(find_spec("atheris") is None, reason="NOT FUZZED: atheris is not installed on this platform")
def test_a_short_fuzz_finds_nothing(tmp_path: Path) -> None:
    program = ROOT / "tests" / "fuzz" / "fuzz_mapping.py"
    command = [sys.executable, str(program), "-runs=4000", "-seed=1", "-max_total_time=60"]

    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert run.returncode == 0, run.stderr[-4000:]
    assert "Done 4000 runs" in run.stderr
