"""Reads a Dockerfile, and does its steps in a folder: for machines where no container engine runs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: Folders of the image that stand under the folder of the test instead.
IMAGE_FOLDERS = re.compile(r"(?<![\w.])/(src|opt|srv|data)\b")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continued lines joined: `RUN`, `pip install ...`."""

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.value)

    @property
    def command(self) -> list[str]:
        """The words of an exec form, also behind `--options CMD` of a HEALTHCHECK."""
        command: list[str] = json.loads(self.value[self.value.index("[") :])
        return command


Stage = list[Instruction]


def read_stages(path: Path) -> list[Stage]:
    """Read the stages of a Dockerfile, each beginning with its FROM."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, value = line.partition(" ")
            if name == "FROM":
                stages.append([])
            stages[-1].append(Instruction(name, value.strip()))
    return stages


@dataclass(frozen=True, slots=True)
class Image:
    """A folder that stands for an image's file system."""

    folder: Path
    #: Of the repository, from where COPY copies.
    context: Path

    def inside(self, text: str) -> str:
        """Point the image's paths in `text` to the folder."""
        return IMAGE_FOLDERS.sub(rf"{self.folder}/\1", text)

    def build(self, stage: Stage) -> Path:
        """Do WORKDIR, COPY and RUN of a stage; return its last WORKDIR.

        A RUN has only the network's settings of this machine, and Python as the base image has it. Nothing is
        compiled, which would take longer than all the rest and is of no account here.
        COPY from another stage has nothing to do: all stages share the folder.
        """
        workdir = self.folder
        for instruction in stage:
            match instruction.name:
                case "WORKDIR":
                    workdir = Path(self.inside(instruction.value))
                    workdir.mkdir(parents=True, exist_ok=True)
                case "COPY" if not instruction.value.startswith("--from"):
                    self._copy(instruction.words, workdir)
                case "RUN" if "useradd" not in instruction.value:
                    self._run(self.inside(instruction.value), workdir)
        return workdir

    def environment(self, stage: Stage) -> dict[str, str]:
        """What the ENV instructions of a stage set, and nothing else."""
        pairs = (word.split("=", 1) for item in stage if item.name == "ENV" for word in item.words)
        return {name: self.inside(value) for name, value in pairs}

    def _copy(self, words: list[str], workdir: Path) -> None:
        *sources, target = words
        for source in sources:
            if (self.context / source).is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(self.context / source, workdir / target, ignore=ignore)
            else:
                (workdir / target if target.endswith("/") else workdir).mkdir(exist_ok=True)
                shutil.copy(self.context / source, workdir / target)

    def _run(self, script: str, workdir: Path) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name == "HOME" or name.startswith(("PIP_", "SSL_")) or name.lower().endswith("_proxy")
        }
        environment = kept | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PIP_COMPILE": "0"}
        done = subprocess.run(
            ["/bin/sh", "-ec", script], cwd=workdir, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"RUN {script}\n{done.stdout}\n{done.stderr}"
