from __future__ import annotations

from pathlib import Path

from tests.probes.seen import PYTEST, run


def test_a_file_that_is_executed_twice_is_told(tmp_path: Path) -> None:
    """One file under two names, a reload, and a second import after removal are told; one execution is not."""
    files = {
        "src/app/__init__.py": "",
        "src/app/db.py": "engine = object()\n",
        "once.py": "",
        "tests/conftest.py": "import once\n",
        "tests/test_it.py": """\
            import importlib, sys
            import app.db
            import src.app.db

            def test_reload():
                importlib.reload(app.db)

            def test_again(monkeypatch):
                monkeypatch.delitem(sys.modules, "app.db")
                import app.db

            def test_spec():
                spec = importlib.util.spec_from_file_location("other", app.db.__file__)
                spec.loader.exec_module(importlib.util.module_from_spec(spec))
            """,
        "pytest.ini": "[pytest]\npythonpath = . src\n",
    }
    seen = run(tmp_path, files, *PYTEST)
    found = [
        (Path(event["file"]).name, event["name"], event["times"], event["reloaded"], event["names"])
        for event in seen.of("module")
    ]
    assert found == [
        ("__init__.py", "src.app", 2, False, ["app", "src.app"]),
        ("db.py", "src.app.db", 2, False, ["app.db", "src.app.db"]),
        ("db.py", "app.db", 3, True, ["app.db", "src.app.db"]),
        ("db.py", "app.db", 4, False, ["app.db", "src.app.db"]),
        ("db.py", "other", 5, False, ["app.db", "other", "src.app.db"]),
    ]
    assert any(place.startswith("tests/test_it.py:3 ") for place in seen.places(seen.of("module")[1]))
    assert seen.of("module")[2]["test"] == "tests/test_it.py::test_reload"


def test_a_program_that_imports_itself_is_told(tmp_path: Path) -> None:
    """A script that is imported by name has been executed twice, as __main__ and by its name."""
    seen = run(tmp_path, {"it.py": "if __name__ == '__main__':\n    import it\n"}, "it.py")
    assert (seen.one("module")["name"], seen.one("module")["names"]) == ("it", ["__main__", "it"])


def test_code_that_is_no_module_is_left(tmp_path: Path) -> None:
    """Text that is executed again and again without a file of its own is nothing to tell."""
    program = """\
        for _ in range(3):
            exec("x = 1")
            exec(compile("x", "it.txt", "eval"))
        """
    seen = run(tmp_path, {"it.py": program}, "it.py")
    assert seen.of("module") == []
    assert seen.one("end")["failures"] == {}


def test_a_change_of_the_working_directory_is_told(tmp_path: Path) -> None:
    """Each is told with the folder before and after, and the line that asked for it."""
    program = 'import os\nos.mkdir("sub")\nos.chdir("sub")\nos.chdir(b"..")\n'
    seen = run(tmp_path, {"it.py": program}, "it.py")
    folder = seen.folder.resolve()
    found = [(event["before"], event["path"], *seen.places(event)) for event in seen.of("folder")]
    assert found == [
        (str(folder), str(folder / "sub"), "it.py:3 <module>"), (str(folder / "sub"), str(folder), "it.py:4 <module>"),
    ]  # fmt: skip


def test_a_process_that_gets_less_is_told(tmp_path: Path) -> None:
    """A child with an environment of its own is told with what it lacks; one that lacks nothing is not."""
    program = """\
        import os, subprocess, sys
        given = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        subprocess.run([sys.executable, "-c", ""], env=given)
        subprocess.run([sys.executable, "-c", ""], env=dict(os.environ))
        subprocess.run([sys.executable, "-c", ""])
        subprocess.run([sys.executable, "-c", ""], env={"DATABASE_URL": "sqlite://"})
        """
    seen = run(tmp_path, {"it.py": program}, "it.py", environ={"DATABASE_URL": "sqlite:///own.db"})
    events = [event for event in seen.of("child") if "dropped" in event]
    found = [(seen.places(event)[0], event["dropped"], event["watched"]) for event in events]
    assert found == [("it.py:3 <module>", ["DATABASE_URL"], True)]
