"""The line that wrote an inherited variable is named: for sure where the command runs it, else as a possibility."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kit.diagnosing.inherited import line_that_starts, lines_that_give, writers

NAME = "ORDERS_URL"


def found(files: Mapping[str, str], *command: str, given: str | None = None) -> list[tuple[str, str, bool]]:
    """The lines that write the variable, with how they do it and whether they are run."""
    return [(str(one), one.verb, one.sure) for one in writers(NAME, command, given, files.get, sorted(files))]


@pytest.mark.parametrize(
    ("files", "command", "line", "verb"),
    [
        ({"ci/t.sh": 'set -e\nexport ORDERS_URL="$LIVE_URL"\npytest\n'}, "sh ci/t.sh -q", "ci/t.sh:2", "exports"),
        ({"t.sh": "ORDERS_URL=sqlite:///live.db python -m pytest\n"}, "./t.sh", "t.sh:1", "sets"),
        ({"t.sh": ". ./env.sh\npytest\n", "env.sh": "export ORDERS_URL=x\n"}, "./t.sh", "env.sh:1", "exports"),
        ({"a/t.sh": "source vars\npytest\n", "a/vars": "#\nORDERS_URL=x\n"}, "bash a/t.sh", "a/vars:2", "sets"),
        ({"Makefile": "export ORDERS_URL := x\ntest:\n\tpytest\n"}, "make test", "Makefile:1", "exports"),
        ({"Makefile": "test:\n\tORDERS_URL=x pytest\n"}, "make test", "Makefile:2", "sets"),
        ({"tox.ini": "[testenv]\nset_env =\n    ORDERS_URL = x\n"}, "tox -e py", "tox.ini:3", "sets"),
        ({"noxfile.py": 'def t(session):\n    session.env["ORDERS_URL"] = "x"\n'}, "nox", "noxfile.py:2", "sets"),
    ],
    ids=["exported", "prefix", "sourced", "sourced-beside", "make", "recipe", "tox", "nox"],
)
def test_what_the_command_runs_is_named(files: dict[str, str], command: str, line: str, verb: str) -> None:
    """A script of the command's, what it sources, and what make, tox and nox read are run for sure."""
    assert found(files, *command.split()) == [(line, verb, True)]


@pytest.mark.parametrize(
    ("file", "text", "command"),
    [
        ("Makefile", "\n-include .env\nexport\ntest:\n\tpytest\n", "make test"),
        ("t.sh", "set -a\ncd . && source .env\npytest\n", "./t.sh"),
        ("t.sh", "\nexport $(grep -v '^#' .env | xargs)\npytest\n", "./t.sh"),
        ("t.sh", "\nenv `cat ./.env` pytest\n", "sh t.sh"),
        ("Makefile", "test:\n\tuv run --env-file .env pytest\n", "make test"),
        ("Makefile", "test:\n\t@dotenv -f .env run pytest\n", "make test"),
        ("tox.ini", "[testenv]\nset_env = file|.env\n", "tox -e py"),
        ("justfile", "\nset dotenv-load\ntest:\n  pytest\n", "just test"),
        ("pyproject.toml", "[tool.pdm.scripts]\n_.env_file = '.env'\n", "pdm run test"),
    ],
)
def test_a_file_that_is_read_by_what_the_command_runs_is_named_with_that_line(
    file: str, text: str, command: str
) -> None:
    """Nobody runs .env: who reads it into the environment is as much of the answer as the line in it."""
    (one,) = writers(NAME, command.split(), "x", {file: text, ".env": "A=1\nORDERS_URL=x\n"}.get, [".env"])
    assert (str(one), one.through, one.sure) == (".env:2", f"{file}:2", True)


TARGETS = """\
.PHONY: test live
test: data
\tpytest
live:
\tORDERS_URL=x uvicorn shop:app
data:
\techo data
"""
RECIPES = """\
test *args: data
    pytest
live port="80":
    ORDERS_URL=x uvicorn shop:app
data:
    echo data
"""
ENVIRONMENTS = """\
[testenv]
commands = pytest
[testenv:live]
set_env =
    ORDERS_URL = x
"""


@pytest.mark.parametrize(
    ("file", "text", "command", "line"),
    [
        ("Makefile", TARGETS, "make test", 0),
        ("Makefile", TARGETS, "make", 0),
        ("Makefile", TARGETS, "make live", 5),
        ("Makefile", TARGETS.replace("test: data", "test: live"), "make test", 5),
        ("Makefile", TARGETS.replace("\tpytest", "\t$(MAKE) live"), "make test", 5),
        ("Makefile", TARGETS.replace("test: data", "test: $(NEEDS)"), "make test", 5),
        ("Makefile", TARGETS.replace("live:", "live: export ORDERS_URL=y\nother:"), "make test", 0),
        ("Makefile", f"{TARGETS}ORDERS_URL := y\n", "make test", 8),
        ("justfile", RECIPES, "just test", 0),
        ("justfile", RECIPES, "just live", 4),
        ("justfile", RECIPES.replace("args: data", "args: live"), "just test", 4),
        ("tox.ini", ENVIRONMENTS, "tox -e py", 5),
        ("tox.ini", f"{ENVIRONMENTS}[testenv:unit]\n", "tox -e unit", 0),
        ("tox.ini", ENVIRONMENTS, "tox -e unit,live", 5),
    ],
)
def test_what_another_target_does_is_not_run(file: str, text: str, command: str, line: int) -> None:
    """Only the targets, recipes and environments that are asked for or needed are run; 0 is no line."""
    assert found({file: text}, *command.split()) == ([(f"{file}:{line}", "sets", True)] if line else [])


@pytest.mark.parametrize("command", ["pipenv run pytest", "uv run --env-file=.env pytest", "python -m dotenv run t"])
def test_a_program_that_reads_dotenv_files_makes_it_sure(command: str) -> None:
    """What the command itself reads .env with leaves no doubt about the line."""
    assert found({".env": "ORDERS_URL=x\n"}, *command.split(), given="x") == [(".env:1", "sets", True)]


@pytest.mark.parametrize("text", ["# include .env\n", "test:\n\tcat .env\n", "set dotenv-load := false\n"])
def test_a_file_that_is_only_named_is_not_read(text: str) -> None:
    """A comment, or a line that shows the file, puts nothing into the environment."""
    files = {"Makefile": text, "justfile": text, ".env": "ORDERS_URL=x\n"}
    assert [one for program in ("make", "just") for one in writers(NAME, [program, "t"], None, files.get, [])] == []


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        (".env", "# ORDERS_URL=no\nORDERS_URL=x\n", 2),
        (".envrc", "export ORDERS_URL=x\n", 1),
        (".github/workflows/ci.yml", "env:\n  ORDERS_URL: x\n", 2),
        ("docker-compose.yml", "environment:\n  - ORDERS_URL=x\n", 2),
        ("Dockerfile", "FROM python\nENV ORDERS_URL=x\n", 2),
    ],
)
def test_what_only_lies_beside_the_command_may_have_written_it(file: str, text: str, line: int) -> None:
    """A file that the command does not run is named as a possibility, and only where the shell had the variable."""
    assert found({file: text}, "pytest", given="x") == [(f"{file}:{line}", found_verb(text), False)]
    assert found({file: text}, "pytest") == []


@pytest.mark.parametrize(
    ("file", "text", "may"),
    [
        (".env", "ORDERS_URL=sqlite:///test.db\n", False),
        (".env", "ORDERS_URL='sqlite:///test.db'  # mine\n", False),
        (".env", 'ORDERS_URL="sqlite:///live.db"\n', True),
        (".env", "ORDERS_URL=sqlite:///$NAME.db\n", True),
        (".envrc", "export ORDERS_URL=$(cat url)\n", True),
        ("compose.yaml", "environment:\n  ORDERS_URL: ${URL:-sqlite:///test.db}\n", True),
        (".github/workflows/ci.yml", "env:\n  ORDERS_URL: sqlite:///test.db\n", False),
        ("noxfile.py", 'session.env["ORDERS_URL"] = "sqlite:///test.db"\n', False),
        ("noxfile.py", 'session.env["ORDERS_URL"] = url\n', True),
        ("noxfile.py", 'session.env["ORDERS_URL"] = f"sqlite:///{name}.db"\n', True),
    ],
)
def test_a_line_that_gives_another_value_did_not_set_it(file: str, text: str, may: bool) -> None:
    """A value that is written out is compared with the one that the command had; one made of others may be it."""
    assert bool(found({file: text}, "pytest", given="sqlite:///live.db")) is may


@pytest.mark.parametrize(("words", "expected"), [("set -e; sh ci/t.sh -q", ["ci/t.sh:1"]), ("echo 'it is", [])])
def test_a_command_line_within_the_command_is_read_too(words: str, expected: list[str]) -> None:
    """What is passed to `sh -c` is a command line; text whose quotes are not closed is none."""
    assert [line for line, *_ in found({"ci/t.sh": "export ORDERS_URL=x\n"}, "sh", "-c", words)] == expected


def found_verb(text: str) -> str:
    return "exports" if "export " in text else "sets"


def test_another_variable_of_a_like_name_is_none() -> None:
    """A name that only begins or ends alike, and a line that reads it, write nothing."""
    text = "export MY_ORDERS_URL=x ORDERS_URLS=y\necho $ORDERS_URL\n[ \"$ORDERS_URL\" == x ]\n"
    assert found({"t.sh": text}, "sh", "t.sh") == []


def test_the_last_line_that_is_run_is_the_one() -> None:
    """What a script sources before it sets the variable itself has no say."""
    assert found({"t.sh": ". ./e\nexport ORDERS_URL=b\n", "e": "ORDERS_URL=a\n"}, "sh", "t.sh") == [
        ("t.sh:2", "exports", True)
    ]


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("-m", "shop.main:app", "--port", "80"), "run.sh:2"),
        (("tools/worker.py", "-v"), "env.sh:1"),
        (("other.py",), ""),
        (("-m",), ""),
        ((), ""),
    ],
)
def test_the_line_that_starts_a_process_is_named(argv: tuple[str, ...], line: str) -> None:
    """It is a line of the command's own script, or of what that sources, with the program's name as a word of it."""
    files = {
        "run.sh": ". ./env.sh\npython -m uvicorn shop.main:app --port 80 &\n# python other.py\npytest another.py\n",
        "env.sh": "python 'tools/worker.py' -v &\n",
    }
    assert line_that_starts(argv, ("sh", "run.sh"), files.get) == line


@pytest.mark.parametrize(
    ("file", "text", "command", "expected"),
    [
        ("t.sh", "# pytest -c ci.ini\npytest -q -c ci.ini tests\n", "sh t.sh", ("t.sh:2", True)),
        ("t.sh", "pytest \\\n  --config-file=ci.ini\n", "sh t.sh", ("t.sh:2", True)),
        ("t.sh", "export PYTEST_ADDOPTS='-c ci.ini'\n", "sh t.sh", ("t.sh:1", True)),
        ("t.sh", "CONFIG=ci.ini\npytest -c $CONFIG\n", "sh t.sh", ("t.sh:1", True)),
        ("Makefile", "test:\n\tpytest -c ci.ini\nlive:\n\tpytest -c ci.ini --l\n", "make test", ("Makefile:2", True)),
        ("tox.ini", "[testenv]\ncommands = pytest -c {toxinidir}/ci.ini\n", "tox -e py", None),
        (".gitlab-ci.yml", "script: pytest -c ci.ini\n", "pytest -c ci.ini", (".gitlab-ci.yml:1", False)),
        ("t.sh", "pytest -c ci.ini.old --etc ci.init\n", "sh t.sh", None),
    ],
    ids=["option", "in-another-form", "variable", "in-parts", "target", "placeholder", "beside", "other-file"],
)  # fmt: skip
def test_the_line_that_gives_an_option_is_named(
    file: str, text: str, command: str, expected: tuple[str, bool] | None
) -> None:
    """The line with the flag and the value, else that with the value alone; not one that gives another value."""
    given = lines_that_give("-c", "ci.ini", command.split(), {file: text}.get, [file])
    assert [(str(one), one.sure) for one in given] == ([expected] if expected else [])
