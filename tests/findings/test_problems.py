"""What could not be seen is said, and nothing that could."""

from __future__ import annotations

from kit.evidence import Evidence, Process
from kit.findings.answer import problems


def process(pid: int, *, ended: bool) -> Process:
    return Process(pid=pid, ppid=1, argv=("run",), executable="python", python="3.11", parent=None, ended=ended)


def test_a_process_that_was_killed_is_told() -> None:
    """A process that left no word at its end may have done more than was seen."""
    (problem,) = problems(Evidence(processes=(process(7, ended=False),)))
    assert "process 7 was ended" in problem


def test_a_process_that_went_on_as_another_program_is_not() -> None:
    """A launcher that becomes what it launches (`poetry run`) leaves its number to it, and has ended well."""
    assert problems(Evidence(processes=(process(7, ended=False), process(7, ended=True)))) == ()


def test_a_command_that_failed_before_any_test_is_told() -> None:
    """An option that pytest does not know, a plugin that cannot be loaded: no test has shown anything."""
    (problem,) = problems(Evidence(processes=(process(7, ended=True),), exit_code=4))
    assert "exit code 4, and no test was run" in problem
