"""Which tests `make test` leaves to `make test-all`, and which folders start no process: the one place that says so.

`make test` finds most of what can break in little time: every test that starts no process, every notebook with its
defaults (the longest with an eighth of its design), a project of each family under `kit diagnose`, the reported failure
under both sets of versions, and of the tests that start processes one or more of each kind. `make test-all` runs
everything. What is left to it gets the mark `at_length` as it is collected: a test whose id matches a pattern of
AT_LENGTH, and none of SAMPLES. A test that is new is in `make test` unless a pattern takes it out. A pattern that
matches no test is an error of the run, so that nothing here outlives what it is about.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

MARK = "at_length"
PURE = ("tests/analysis/", "tests/evidence/", "tests/report/")
"""Folders in which no test starts a process; one that does fails."""

AT_LENGTH = {
    r"test_from_python\.py::test_an_example": "an interpreter each, with a suite, a trial or notebooks in it",
    r".*\[.*2023-11": "the other set of versions: the same tests once more",
    r"notebooks/test_claims\.py::test_every_claim_holds\[all": "the whole design of the longest notebook",
    r"notebooks/test_claims\.py::test_every_claim_can_fall": "a kernel, some twenty changes and as many wrong answers",
    r"notebooks/test_other\.py::test_(other|defaults)": "whole notebooks",
    r"notebooks/test_your_own_suite\.py::test_the_notebook_asks": "whole diagnoses",
    r"cases/": "a whole diagnosis, or a run of a project, for each case",
    r"diagnosing/order/test_(diagnosed|listeners)\.py": "some fifteen runs of a suite each",
    r"diagnosing/test_large\.py": "some six runs of a suite each",
    r"diagnosing/test_(proofs|true_proofs|left_open|variables|engines|lifespans|not_seen)\.py": "a diagnosis each",
    r"diagnosing/test_(other_processes|override_defaults|options|redirected_nowhere)\.py": "a diagnosis each",
    r"traced/": "one run of a project each, or a diagnosis",
    r"live/": "servers and programs of their own",
    r"tracing/test_(command|secrets)\.py": "a process of the command each",
    r"kit_notebooks/investigate/test_engine\.py::test_a_cell_that_prints": "a kernel, and output without end",
    r"tracing/test_left_behind\.py": "runs of a suite of some 460 tests, killed at some moment",
    r"kit_notebooks/investigate/test_(run|entry|pages|secrets)\.py": "a run of notebooks with its kernels each",
    r"kit_notebooks/investigate/test_left_behind\.py": "notebooks with some 4,000 texts, run and killed",
    r"kit_notebooks/investigate/test_cluster\.py": "a scheduler, workers, and the notebooks that they run",
    r"kit_notebooks/warm/test_provisioner\.py": "kernels, and parents that import what they need",
    r"kit_notebooks/matrix/test_matrix\.py": "runs of notebooks under several stacks",
    r"trials/test_stacks\.py::test_the_packages_of_a_stack": "environments that are set up",
    r"kit_notebooks/test_in_browser\.py": "JupyterLab, a browser, and a kernel each",
    r"kit_notebooks/test_accessible\.py": "JupyterLab, a browser, notebooks and a site",
    r"kit_notebooks/investigate/test_engine\.py::.*\[": "a kernel each, and limits of time that are waited for",
    r"probes/interventions/test_(applied|elsewhere)\.py": "a program each",
    r"probes/drivers/test_(duckdb|pymysql|aiomysql|unprobed)\.py": "a program each",
    r"probes/test_(unchanged|children|started)\.py": "two programs each, with and without the probes",
    r"probes/test_audited\.py": "a process of the command each",
    r"probes/test_coverage_use\.py": "three or more runs of a suite each",
    r"probes/settings/test_probe\.py::.*\[": "a run of a suite each",
    r"test_lengths\.py::test_what_is": "a collection each",
    r"probes/test_harmless\.py::test_a_probe_that_fails": "a run of a suite for each part of the probes",
    r"probes/test_pytest_use\.py::test_workers": "runs of pytest with workers",
    r"guard/test_run\.py": "a run of pytest each",
    r"guard/test_init\.py": "five runs of pytest each",
    r"guard/test_config\.py::test_the_file_that_pytest_reads": "a run of pytest each",
    r"trials/test_fork_server\.py": "a parent each, and forks that are waited for",
    r"tools/test_other_suites\.py": "suites of others, three times each",
    r"tools/test_soak\.py::test_a_(few|handful)": "loads",
    r"tools/test_explorer\.py::test_a_click": "a browser",
    r"tools/test_publish\.py": "a site each, which Sphinx builds",
    r"specimens/test_variants\.py::test_pairs_collect": "a process for each pair",
    r"specimens/test_mechanisms\.py::test_every_combination_collects": "a collection for each pair of mechanisms",
    r"live/test_readme\.py": "the README's own commands",
    r"tracing/test_odd_records\.py::test_no_record": "thirty records each",
    r"trials/test_stacks\.py::test_an_environment_holds": "an environment that is set up",
    r"test_packaging\.py::test_(set_up|a_failed|a_named|the_wheel)": "environments that are set up",
}
"""What `make test` leaves out, by the beginning of its path and name in tests/, and why it takes long."""

SAMPLES = {
    r"test_from_python\.py::test_an_example.*\[(Which|Errors)": "what the page shows first, and an error",
    r"live/test_specimen\.py::TestTheReportsTable::.*\[dependency_override-": "the failure, with both sets of versions",
    r"live/test_specimen\.py::TestOnBothStacks::.*\[real_fix-.*2023-11\]": "what takes it away, likewise",
    r"live/test_specimen\.py::TestOnBothStacks::.*current\]": "what takes it away",
    r"live/test_runner\.py::test_(each_stack_forks|a_difference|trials_side)": "trials",
    r"live/test_runner\.py::test_every_pair_of_mechanisms": "starts no process",
    r"live/test_pair_(connect|sql|slots)\.py": "asked of the pair that is up",
    r"live/test_pair_embedded\.py::test_(each_side|both_sides|production|no_client|every_role|the_plain)":
        "asked of the pair that is up",
    r"live/test_pair_running\.py::test_(without_a_pair|up_twice|a_state_of)": "a pair and its state",
    r"live/test_outside\.py": "asked of the pair that is up",
    r"live/test_board\.py": "asked of the pair that is up",
    r"live/test_(cleaning|notebook)\.py": "asked of the pair that is up",
    r"live/test_probes\.py::test_every_driver.*\[(asyncpg_plain|psycopg_plain|sqlalchemy_psycopg2)": "drivers",
    r"live/test_guard\.py::test_by_place": "the guard on a server",
    r"cases/test_diagnosed\.py::test_the_cause.*\[current-override-cleared-by-other-test\]": "a case of the overrides",
    r"cases/test_diagnosed\.py::test_the_cause.*\[current-variable-not-asked-for\]": "of the variables",
    r"cases/test_diagnosed\.py::test_the_cause.*\[current-lifespan-engine\]": "of the engines",
    r"cases/test_diagnosed\.py::test_the_cause.*\[current-session-uncommitted\]": "of the sessions",
    r"cases/test_diagnosed\.py::test_the_cause.*\[current-working-directory-changed\]": "of the files",
    r"cases/test_diagnosed\.py::test_the_cause.*\[current-global-engine-rebound-not-restored\]": "of what tests leave",
    r"cases/test_diagnosed\.py::test_nothing_is_found.*\[current-allowed-clean_override\]": "a clean one",
    r"cases/test_guarded\.py::.*\[current-(override-cleared-by-other-test|attached-database|clean_override)\]":
        "the guard on projects",
    r"cases/test_symptoms\.py::test_(what_marks|every_mechanism)": "start no process",
    r"diagnosing/order/test_diagnosed\.py::test_a_test_that_fails_alone_too": "a test that depends on no other",
    r"traced/test_elsewhere\.py": "a run with the probes in, and what is found in it",
    r"tracing/test_command\.py::test_(output|a_signal_reaches|nothing_is_left|a_command_that_is_not)": "the command",
    r"tracing/test_secrets\.py::test_a_trace.*\[text": "what is kept of a trace",
    r"kit_notebooks/investigate/test_run\.py::test_(a_run_in_which|a_claim_that_falls|a_wrong_parameter)": "a run",
    r"kit_notebooks/warm/test_provisioner\.py::test_(a_forked|where_no|.*_exit\(3)": "a fork, or why there is none",
    r"probes/interventions/test_applied\.py::test_an_intervention_in_a_program\[-(hand-on|pin|rebind)": "a re-run",
    r"probes/test_audited\.py::.*\[options2-DatabaseRefused-sys._getframe": "a hook of the program's that raises",
    r"probes/test_unchanged\.py::test_(output|nothing_is_left)": "a program with and without the probes",
    r"probes/test_coverage_use\.py::test_the_report_is_the_same\[none": "a suite that measures its coverage",
    r"probes/settings/test_probe\.py::test_a_setting.*\[(config.TABLES.update|config.settings)": "a mapping, an object",
    r"probes/settings/test_probe\.py::test_what_names.*\[config.TITLE": "a text that names no database",
    r"test_lengths\.py::test_what_is.*\[4/3": "a share that is none",
    r"guard/test_run\.py::test_(a_test_that_reaches|a_refusal_that_is_sw|threads|drivers$|native|without_the_option)":
        "the guard, by test, thread, driver and program",
    r"guard/test_run\.py::test_(a_guard_that_comes|nothing_is_left|no_secret|a_part_of_the_guard)": "its own faults",
    r"guard/test_init\.py::test_it_writes_and_proves": "the guard is put in and proved",
    r"trials/test_fork_server\.py::test_a_fork_(finds|ends)": "forks are as fresh as new interpreters",
    r"tools/test_other_suites\.py::.*aiosqlite": "one suite of others",
    r"diagnosing/test_true_proofs\.py::test_what_a_test_opens": "what is proved",
    r"kit_notebooks/investigate/test_engine\.py::.*\[(busy loop|15)\]": "a limit, and a signal",
    r"guard/test_config\.py::test_the_file_that_pytest_reads\[files(0|16)-": "a file of each format",
    r"probes/test_harmless\.py::test_a_probe_that_fails_is_off_and_said\[recorder": "the recorder",
    r"tracing/test_odd_records\.py::test_no_record_is_an_error_of_the_kit\[0": "thirty of them",
}
"""What `make test` runs all the same, and what it stands for."""


def is_at_length(test: str) -> bool:
    """Whether a test, by its id, is left to `make test-all`."""
    return bool(_AT_LENGTH.match(test)) and not _SAMPLES.match(test)


def share_of(test: str, shares: int) -> int:
    """The share that a test belongs to, from 1 to `shares`: always the same one, by its id."""
    return zlib.crc32(test.encode()) % shares + 1


def is_pure(test: str) -> bool:
    """Whether a test, by its id, is in a folder whose tests start no process."""
    return test.startswith(PURE)


def without_a_test(tests: Iterable[str]) -> list[str]:
    """The patterns that match none of these tests, and the samples that match no test at length."""
    tests = list(tests)
    long = [test for test in tests if _AT_LENGTH.match(test)]
    return [
        *(pattern for pattern in AT_LENGTH if not any(map(_any_of([pattern]).match, tests))),
        *(pattern for pattern in SAMPLES if not any(map(_any_of([pattern]).match, long))),
    ]


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile(f"tests/(?:{'|'.join(patterns)})")


_AT_LENGTH, _SAMPLES = _any_of(AT_LENGTH), _any_of(SAMPLES)
