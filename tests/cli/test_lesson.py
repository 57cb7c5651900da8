"""`slalom lesson`: the list, one lesson, its picture in a folder, and one sentence for what is unknown."""

import re
from pathlib import Path

import pytest

from slalom import lessons

from .command import slalom, there


def test_lessons_are_listed(tmp_path: Path) -> None:
    """A line for every lesson, with its title, and how to run one."""
    done = slalom("lesson", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for name, about in lessons.REGISTRY.items():
        assert any(line.startswith(f"{name} ") and line.endswith(about.title) for line in lines)
    assert re.search(r"^Run one: +.*lesson adam$", done.stdout, re.MULTILINE)


def test_a_lesson_tells_and_leaves_its_picture(tmp_path: Path) -> None:
    """Formula, numbers and what to see on stdout; the PNG and the SVG in a folder that is made; nothing else."""
    done = slalom("lesson", "rate", "--save", "new/pictures", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{lessons.REGISTRY['rate'].title}\n\n    f(x) = 4x²")
    assert "1.6928" in done.stdout
    assert "\nWhat to see\n- " in done.stdout
    assert done.stdout.endswith("\nThe picture is in new/pictures/rate.png and new/pictures/rate.svg\n")
    assert there(tmp_path) == {"new", "new/pictures", "new/pictures/rate.png", "new/pictures/rate.svg"}
    assert (tmp_path / "new/pictures/rate.png").read_bytes().startswith(b"\x89PNG")
    assert "<text" in (tmp_path / "new/pictures/rate.svg").read_text(encoding="utf-8")


def test_without_a_folder_nothing_is_drawn(tmp_path: Path) -> None:
    """The text alone, and how to get the picture; Matplotlib is not loaded for it."""
    done = slalom("lesson", "ewma", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("lesson ewma --save DIR")
    assert there(tmp_path) == set()


@pytest.mark.long
def test_what_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    """An unknown name, a folder that cannot be made, and a folder without a name."""
    (tmp_path / "file").write_text("")
    for arguments, sentence in (
        (["adma"], r"NAME of a lesson must be one of .* Got 'adma'\. Did you mean 'adam'\?"),
        (["rate", "--save", "file/in"], r"--save must be a folder that can be written to\. file/in: Not a directory\."),
        (["--save", "pictures"], r"--save goes with the NAME of a lesson\."),
    ):
        done = slalom("lesson", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert re.fullmatch(sentence + "\n", done.stderr), done.stderr


@pytest.mark.long
def test_a_lesson_is_told_in_chinese(tmp_path: Path) -> None:
    """The text is Chinese, its numbers are the same; the list has Chinese titles."""
    done = slalom("lesson", "scaling", "--lang", "zh", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("特征缩放")
    assert "1.46385011" in done.stdout
    assert "\n看什么\n- " in done.stdout
    assert "反向传播" in slalom("lesson", "--lang", "zh", cwd=tmp_path).stdout
