"""Parameters from YAML, and what papermill's users expect of the command beside them."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import NotebookError
from kit.notebooks.investigate.parameter_files import described, from_yaml
from tests.kit_notebooks.investigate.samples import HOLDS, cell, write

PARAMETERS = cell("n: int = 1  # how many\nwho: str | None = 'x'\nlimits: list[float] = []", "parameters", "parameters")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_texts_win_over_files_and_files_over_base64(tmp_path: Path) -> None:
    """Each source may set other parameters; of one that several set, the later kind and the later file count."""
    texts = {"one.yml": "a: 1\nb: 1\nc: 1", "two.yml": "b: 2\nc: 2\nd: [1, null, .inf]", "empty.yml": ""}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    files = [tmp_path / "one.yml", tmp_path / "two.yml", tmp_path / "empty.yml"]
    found = from_yaml(files, ["c: 3"], [encoded("a: 0\ne: 0")])
    assert found == {"a": 1, "b": 2, "c": 3, "d": [1, None, float("inf")], "e": 0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", r"is not YAML, line 1\. To do: correct it"),
        ("- 1\n- 2", r"holds no parameters\. Wanted: names with their values"),
        ("1: 2", "holds no parameters"),
        ("!!python/object/apply:os.system ['true']", "is not YAML, line 1"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, says: str, tmp_path: Path) -> None:
    """A file, a text and one in base64 that hold something else are refused alike, and nothing of them is run."""
    (tmp_path / "p.yml").write_text(text)
    for given in ({"files": [tmp_path / "p.yml"]}, {"texts": [text]}, {"encoded": [encoded(text)]}):
        with pytest.raises(NotebookError, match=says):
            from_yaml(**given)


def test_a_message_does_not_repeat_what_was_given() -> None:
    """Parameters can be passwords."""
    with pytest.raises(NotebookError) as refused:
        from_yaml(texts=["password: [hunter22"])
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read: No such file"), (b"a: \xff", "is not text in UTF-8")]
)
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, says: str, tmp_path: Path) -> None:
    """The message has the file."""
    if content is not None:
        (tmp_path / "p.yml").write_bytes(content)
    with pytest.raises(NotebookError, match=f"p.yml {says}"):
        from_yaml([tmp_path / "p.yml"])


def test_what_is_not_base64_is_refused() -> None:
    """It is not decoded in part."""
    with pytest.raises(NotebookError, match="cannot be decoded"):
        from_yaml(encoded=["n: 1"])


def test_the_parameters_of_each_notebook_are_listed(tmp_path: Path) -> None:
    """Names, types, defaults and comments; a notebook without any and one that cannot be read are named."""
    paths = [write(tmp_path, "01_a", PARAMETERS), write(tmp_path, "02_b", "1"), tmp_path / "03_c.ipynb"]
    paths[2].write_text("{")
    assert described(paths).splitlines()[:6] == [
        "01_a.ipynb:", "  n: int = 1 (how many)", "  who: str or None = 'x'", "  limits: list of float = []",
        "02_b.ipynb:", "  no parameters",
    ]  # fmt: skip
    assert described(paths).splitlines()[6].startswith("03_c.ipynb: ")


def test_the_command_takes_them(tmp_path: Path) -> None:
    """A notebook gets its values by each option, runs in the folder that is named, and is heard as it runs."""
    (tmp_path / "elsewhere").mkdir()
    shows = "import os\nprint('seen', n, who, limits, os.path.basename(os.getcwd()))"
    path = write(tmp_path, "01_a", PARAMETERS, shows, HOLDS)
    (tmp_path / "p.yml").write_text("n: 2\nwho: file\nlimits: [1, .inf]")
    command = [
        sys.executable, "-m", "kit", "investigate", str(path), "--no-servers", "--log-output",
        "--out", str(tmp_path / "runs"), "--cwd", str(tmp_path / "elsewhere"),
        "-f", str(tmp_path / "p.yml"), "-y", "who: null", "-p", "n", "3",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "seen 3 None [1.0, inf] elsewhere" in done.stderr
    assert "Postgres" not in done.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-y", "n: many"], "The parameter 'n' of 01_a.ipynb is given as 'many'"),
        (["-y", "limits: [1, null]"], "is given as [1, None]. Wanted: limits: list of float = []"),
        (["-y", "m: 1"], "01_a.ipynb has no parameter 'm'"),
        (["--cwd", "nowhere"], "There is no folder nowhere"),
    ],
)
def test_the_command_refuses_what_does_not_fit(options: list[str], says: str, tmp_path: Path) -> None:
    """Values out of YAML are checked as others are, before anything is run; exit code 2."""
    path = write(tmp_path, "01_a", PARAMETERS)
    command = [sys.executable, "-m", "kit", "investigate", str(path), "--no-servers", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert says in " ".join((done.stdout + done.stderr).split())
    assert not (tmp_path / "runs").exists()
