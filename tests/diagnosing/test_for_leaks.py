"""Whole diagnoses of projects in which no finding of the first run explains the leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.answer.diagnosis import Status
from tests.projects import diagnosed, write

PROJECT = {
    "settings.py": 'URL = "sqlite:///test.db"\n',
    "deploy/settings.py": 'URL = "sqlite:///prod.db"\n',
    "shop/__init__.py": "",
    "shop/store.py": """
        from sqlalchemy import create_engine, text
        import settings

        engine = create_engine(settings.URL)

        def count():
            with engine.connect() as connection:
                return connection.scalar(text("select 1"))
    """,
    "tests/test_store.py": """
        from shop.store import count

        def test_count():
            assert count() == 1
    """,
}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pytest.ini", "[pytest]\npythonpath = deploy .\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = ["deploy", "."]\n'),
    ],
)
def test_settings_that_are_imported_from_another_folder_are_the_cause(tmp_path: Path, file: str, text: str) -> None:
    """The engine is made in the project's own module, of a text in a module that the project has twice."""
    _, diagnosis = diagnosed(write(tmp_path, {**PROJECT, file: text}), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("module-from-elsewhere", "deploy/settings.py", 1)
    said = f"deploy/settings.py is imported, and not settings.py: {file}:2 puts deploy on sys.path"
    assert cause.what.startswith(said)


def test_a_folder_on_the_path_without_a_namesake_is_no_cause(tmp_path: Path) -> None:
    """The same path of modules, and the only settings name production themselves."""
    files = {**PROJECT, "settings.py": 'URL = "sqlite:///prod.db"\n', "pytest.ini": "[pytest]\npythonpath = deploy .\n"}
    del files["deploy/settings.py"]
    _, diagnosis = diagnosed(write(tmp_path, {**files, "deploy/more.py": ""}), allow=["test.db"])
    assert "module-from-elsewhere" not in {cause.kind for cause in diagnosis.causes}
