"""What is installed is what was pinned, file by file."""

import base64
import hashlib
import re
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"slalom", "pip", "setuptools", "wheel"}  # this project, and what makes environments
PINS = dict(
    re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line).groups()
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
PINNED = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PINS.items()}
INSTALLED = sorted({re.sub(r"[-_.]+", "-", one.name).lower() for one in distributions()} - OURS)


def test_every_package_is_pinned():
    """Nothing is installed beside what constraints.txt names, in other versions than it names."""
    there = {name: distribution(name).version for name in INSTALLED}
    assert {
        name: version for name, version in there.items() if PINNED.get(name, "").split("+")[0] != version.split("+")[0]
    } == {}


@pytest.mark.parametrize("name", INSTALLED)
def test_files_are_those_of_the_package(name):
    """Every file has the hash that its package recorded: none was changed since it was installed."""
    changed = []
    for file in distribution(name).files or []:
        if file.hash and file.hash.mode == "sha256" and file.suffix != ".pyc":
            found = hashlib.sha256(file.locate().read_bytes()).digest()
            if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != file.hash.value:
                changed.append(str(file))
    assert changed == []


def test_dependencies_come_from_the_index_alone():
    """No requirement of the project is an address, a path or a repository."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + (ROOT / "constraints.txt").read_text(
        encoding="utf-8"
    )
    assert not re.findall(r"@ ?(?:git\+|https?:|file:)", text)
