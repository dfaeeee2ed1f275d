"""Whole diagnoses of small projects: what proves a cause, and what only keeps the project from running."""

from __future__ import annotations

from pathlib import Path

from kit.findings.diagnosis import Effect, Status
from tests.projects import diagnosed, write


def test_a_child_that_crashes_without_its_variable_proves_nothing(tmp_path: Path) -> None:
    """The test goes on whether or not the process that it starts does: only where that led elsewhere counts."""
    project = write(
        tmp_path,
        {
            "worker.py": """
                import os, sqlite3
                sqlite3.connect(os.environ["JOBS_DB"]).execute("create table if not exists jobs (id)")
            """,
            "tests/test_jobs.py": """
                import sqlite3, subprocess, sys

                def test_a_job_is_started():
                    sqlite3.connect("test.db").execute("select 1")
                    subprocess.run([sys.executable, "worker.py"])
            """,
        },
    )
    _, diagnosis = diagnosed(project, allow=["test.db"], JOBS_DB="jobs.db")
    shown = {" and ".join(run.changed): run for run in diagnosis.runs}
    crashed = shown["without the variable JOBS_DB"]
    assert crashed.effect is Effect.VOID
    assert "worker.py, which had reached it there, asks for no database any more" in crashed.reason
    assert diagnosis.status is Status.PROVED
    assert diagnosis.causes[0].changed == "without the variable JOBS_DB"
