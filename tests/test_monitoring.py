"""What coverage measures is all that runs, though a branch that always goes the same way is asked no more."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import clean_environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (3, 12) <= sys.version_info < (3, 14), reason="there coverage chooses how it measures"),
]
_MODULE = """
def sign(number):
    if number < 0:
        return -1
    return 1
"""
_PROGRAM = """
import coverage
from tests import monitoring

monitoring.measure_by_events()
for is_next_test in (False, True):
    measured = coverage.Coverage(data_file=None, branch=True, include=["*/signs.py"], config_file=False)
    with measured.collect():
        import signs
        monitoring.begin_test()
        for _ in range(monitoring._ENOUGH + 1):
            signs.sign(1)
        if is_next_test:
            monitoring.begin_test()
        signs.sign(-1)
    print(measured.branch_stats(signs.__file__))
"""


def test_a_branch_is_left_alone_until_the_next_test(tmp_path: Path, root: Path) -> None:
    (tmp_path / "signs.py").write_text(_MODULE)
    environment = clean_environment(pythonpath=f"{root}:{tmp_path}")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["{3: (2, 1)}", "{3: (2, 2)}"], done.stderr
