"""The command `kit`: what it accepts, what it says, and the codes with which it exits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import kit
import kit.notebooks.investigate
import kit.pair
from kit.cli import main
from kit.errors import PairError
from kit.notebooks.investigate.results import Investigation

COMMANDS = sorted(main.commands)


def invoke(*arguments: str, **environ: str | None) -> Result:
    return CliRunner().invoke(main, arguments, env=environ)


def kit_process(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("kit")), *arguments]
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True)


def test_help_names_every_command() -> None:
    """`kit --help` lists the commands, each with a sentence, and the exit codes."""
    text = invoke("--help").stdout
    assert {"down", "investigate", "lab", "status", "up"} <= set(COMMANDS)
    assert all(f"  {name}  " in text for name in COMMANDS)
    assert "Exit codes" in text


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_a_file_in_place_of_the_state_directory_is_named(tmp_path: Path, command: str) -> None:
    """No command takes it for a machine on which nothing is up."""
    (tmp_path / "file").touch()
    result = invoke(command, KIT_STATE_DIR=str(tmp_path / "file"))
    assert result.exit_code == 2
    assert "set KIT_STATE_DIR" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["guard"], ["class"]], ids=["kit", "kit guard", "kit class"])
def test_help_shows_whole_sentences(arguments: list[str]) -> None:
    """In a terminal of 80 columns no command's sentence is cut short; click's runner of tests has two columns more."""
    listed = kit_process(*arguments, "--help", COLUMNS="80").stdout.partition("Commands:")[2]
    assert listed
    assert "..." not in listed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    """Each option of each command has a help text."""
    options = [option for option in main.commands[name].params if option.param_type_name == "option"]
    assert [option.name for option in options if not getattr(option, "help", None)] == []


def test_the_module_is_the_command() -> None:
    """`python -m kit` and `kit` are the same command, with the version of the package."""
    by_module = subprocess.run([sys.executable, "-m", "kit", "--version"], capture_output=True, text=True, check=True)
    assert by_module.stdout == kit_process("--version").stdout == f"kit, version {kit.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--port-test", "5433"], "Name two ports"),
        (["up", "--port-test", "5433", "--port-production", "5433"], "Name two ports"),
        (["up", "--report-ports", "--port-test", "5433"], "--report-ports sets both"),
        (["up", "--port-production", "0", "--port-test", "5433"], "0 is not in the range"),
        (["up", "--external", "--compose"], "leave out --compose"),
        (["up", "--external", "--report-ports"], "leave out --compose and the ports"),
        (["up", "--external"], "KIT_PRODUCTION_URL and KIT_TEST_URL: set both"),
        (["up", "--writable"], "--writable belongs to --external"),
        (["investigate", "--jobs", "0"], "0 is not in the range"),
        (["investigate", "--timeout-cell", "0"], "0.0 is not in the range"),
        (["investigate", "--timeout-cell", "nan"], "nan is not a finite number"),
        (["investigate", "-p", "n_trials"], "requires 2 arguments"),
        (["wander"], "No such command"),
    ],
)
def test_wrong_use_is_explained(arguments: list[str], said: str) -> None:
    """A command line that means nothing is refused with the reason, and exits with 2."""
    result = invoke(*arguments, KIT_PRODUCTION_URL=None, KIT_TEST_URL=None)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_users_mistake_is_one_line() -> None:
    """What could not be done is said in one line without a traceback or a password, and exits with 2."""
    urls = {
        f"KIT_{side}_URL": "postgresql://somebody:hush-hush@127.0.0.1:1/somewhere" for side in ("PRODUCTION", "TEST")
    }
    answer = kit_process("up", "--external", **urls)
    assert answer.returncode == 2
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("kit: ")
    assert "To do:" in line
    assert "hush-hush" not in line


def raising(error: BaseException) -> Any:
    def fails(*_: object, **__: object) -> None:
        raise error

    return fails


def test_an_error_of_several_lines_is_told_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error whose text has line breaks, as a server's has, is still one line."""
    monkeypatch.setattr(kit.pair, "status", raising(PairError("it said:\n  no room", remedy="make room")))
    result = invoke("status")
    assert (result.exit_code, result.stderr) == (2, "kit: it said: no room. To do: make room.\n")


def test_an_interrupt_ends_without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command in one line, with the code that a shell gives."""
    monkeypatch.setattr(kit.pair, "status", raising(KeyboardInterrupt()))
    result = invoke("status")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "kit: stopped\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_a_command_as_an_interrupt_does(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any moment of any command what is open is closed, one line says why, and the exit code is a shell's."""
    before = signal.signal(number, signal.SIG_DFL)
    closed = []

    def opened(*_: object) -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            closed.append(True)

    monkeypatch.setattr(kit.pair, "status", opened)
    result = invoke("status")
    assert (result.exit_code, result.stderr) == (128 + number, f"kit: ended by {number.name}\n")
    assert closed == [True]
    assert signal.getsignal(number) is signal.SIG_DFL
    signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nohup has a command ignore does not end it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(kit.pair, "status", lambda: os.kill(os.getpid(), signal.SIGHUP))
    assert invoke("status").exit_code == 1
    signal.signal(signal.SIGHUP, before)


def test_a_missing_library_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an extra is not installed, the message names the library and the command that installs it."""
    monkeypatch.setattr(kit.pair, "status", raising(ModuleNotFoundError("No module", name="psycopg.adapt")))
    result = invoke("status")
    assert result.exit_code == 2
    assert result.stderr.startswith("kit: psycopg.adapt is not installed. To do: pip install ")


def test_a_fault_of_the_kit_is_not_a_fallen_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the kit itself shows its traceback without passwords, and exits with 2, never with 1."""
    monkeypatch.setattr(kit.pair, "status", raising(RuntimeError("postgresql://somebody:hush-hush@127.0.0.1:1/x")))
    result = invoke("status")
    assert result.exit_code == 2
    assert "fault of the kit itself\nTraceback" in result.stderr
    assert "RuntimeError: postgresql://somebody:***@" in result.stderr
    assert "hush-hush" not in result.output


def test_status_without_a_pair(tmp_path: Path) -> None:
    """`kit status` says how to start a pair where none is up, and exits with 1; `kit down` has nothing to do."""
    state = str(tmp_path)
    result = invoke("status", KIT_STATE_DIR=state)
    assert (result.exit_code, result.stdout) == (1, "No pair is up. To start one: kit up\n")
    exported = invoke("status", "--export", KIT_STATE_DIR=state)
    assert (exported.exit_code, exported.stdout) == (1, "")
    assert invoke("down", KIT_STATE_DIR=state).stdout == "No pair was up.\n"


def test_an_edition_is_for_somebody(tmp_path: Path) -> None:
    """`kit edition` says for whom it can be made when that is left out, and writes nothing."""
    result = invoke("edition", str(tmp_path / "class"))
    assert result.exit_code == 2
    assert "--student or --teacher" in result.stderr
    assert not (tmp_path / "class").exists()


def test_a_notebook_that_is_not_there_cannot_be_started_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kit lab --start-over` with a name of no notebook lists the names, and starts nothing."""
    monkeypatch.chdir(tmp_path)
    result = invoke("lab", "--start-over", "04_apps")
    assert result.exit_code == 2
    assert "There is no notebook 04_apps" in result.stderr
    assert "04_app_instances" in result.stderr


@pytest.mark.parametrize("entry", ["[", "://", "host:port/db", "[::1", "server:", "server:x", "", "me:SECRET@h:1/d"])
@pytest.mark.parametrize("command", [["trace"], ["diagnose"], ["guard", "init"]])
def test_a_malformed_entry_is_refused_before_anything_is_run(command: list[str], entry: str, tmp_path: Path) -> None:
    """--allow with what cannot be meant ends each command at once: what was found, wanted, to do; no password."""
    script = f"open({str(tmp_path / 'ran')!r}, 'w')"
    rest = [str(tmp_path)] if command[0] == "guard" else ["--", sys.executable, "-c", script]
    ended = invoke(*command, "--allow", entry, *rest)
    assert ended.exit_code == 2
    assert "ntry" in ended.stderr
    assert "Wanted: " in ended.stderr
    assert "To do: " in ended.stderr
    assert "SECRET" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://a:Zq7/Mk01@h/db", "postgresql://h:Zq7Mk01/db", "postgresql://a:Zq7@Mk01@h:x/db", "mysql://a:Zq7Mk01@h/db",
        "postgresql://a:Zq7'Mk01@h:99999/db", "postgresql://a:Zq7 Mk01@127.0.0.1:1/db", "host=h password=Zq7Mk01",
        "postgresql://a:Zq7%2FMk01@127.0.0.1:1/db", "postgresql://a@127.0.0.1:1/db?password=Zq7Mk01", "postgresql://a:Zq7Mk01@[::1/db",
    ],
)  # fmt: skip
def test_no_secret_is_in_the_error_of_an_external_pair(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a server's URL is spelled, and whatever is wrong with it, the error does not show its password."""
    for side in ("PRODUCTION", "TEST"):
        monkeypatch.setenv(f"KIT_{side}_URL", url)
    result = CliRunner().invoke(main, ["up", "--external"])
    assert result.exit_code == 2
    assert "kit: " in result.output
    assert "Mk01" not in result.output


def test_the_parameters_of_notebooks_are_listed_without_a_run(tmp_path: Path) -> None:
    """`--help-notebook` shows each parameter with its type and default, and says what is no notebook."""
    originals = Path(__file__).parents[1] / "notebooks"
    broken = tmp_path / "broken.ipynb"
    broken.write_text("{")
    shown = invoke("investigate", "--help-notebook", str(originals / "your_own_suite.ipynb"), str(broken))
    assert shown.exit_code == 0
    assert "your_own_suite.ipynb:\n  " in shown.stdout
    assert "  command: str" in shown.stdout
    assert "broken.ipynb: " in shown.stdout
    assert os.listdir(tmp_path) == ["broken.ipynb"]


@pytest.mark.parametrize(("megabytes", "expected"), [("0.5", 500_000), ("0.0000001", 1), (None, None)])
def test_a_limit_of_output_is_given_in_megabytes(
    megabytes: str | None, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is given bytes, at least one, and its own limit where none was named."""
    given: dict[str, Any] = {}

    def investigate(*arguments: object, **options: object) -> Investigation:
        given.update(options)
        return Investigation(exit_code=0, seconds=0.0, notebooks=())

    monkeypatch.setattr(kit.notebooks.investigate, "investigate", investigate)
    limits = ("--output-cell", megabytes) if megabytes else ()
    assert invoke("investigate", *limits).exit_code == 0
    assert given.get("output_cell_bytes") == expected
    assert "output_cell_mb" not in given
