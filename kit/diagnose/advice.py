"""What to do about a cause, by the kind of the finding that named it. Pure."""

from __future__ import annotations

from kit.findings.model import Finding

_LOADED = (
    "At {where} do not load the file where the tests run, or name the tests' own there: what it puts into the "
    "environment goes before every file that settings read."
)
_BY_OVERRIDE = (
    "At {where} let the override {override} open its session on the tests' own engine ({ours}), not on the "
    "application's."
)
_MOVED = "Move {fixture} from {file} to {move_to}, from where it counts for all these tests, and make it autouse there."
_ADVICE = {
    "opened-by-the-tests": (
        "If that is meant, run these tests apart from the others and allow the database there; if not, name the test "
        "database at {where}."
    ),
    "override-cleared-by-other-test": (
        "At {where} remove only what that test has set (app.dependency_overrides.pop(key, None)), or put back what was "
        "there before; or set the database's override anew for each test."
    ),
    "override-leaked": (
        "Take the override back when the test is over: app.dependency_overrides.pop(key, None) in its teardown."
    ),
    "override-taken-back": (
        "Take the override back at {where} only when the test is over: in a fixture yield inside the `with` that sets "
        "it, instead of returning after it."
    ),
    "override-not-in-test": (
        "Let the tests that do without it ask for {fixture} (as a parameter, by usefixtures), or make it autouse."
    ),
    "dependency-called-directly": (
        "At {where} do not call {callable} yourself: take what it gives as a parameter of the endpoint, "
        "Depends({callable}), and hand it down."
    ),
    "dependency-not-overridden": (
        "Where the tests make their client set app.dependency_overrides[{callable}] to a function that gives a session "
        "of their own engine ({ours}), or let their settings lead the application there."
    ),
    "engine-not-used": (
        "Hand what the tests set up with the engine made at {ours} to the very application, container or module that "
        "serves them: where it goes now, nothing asks for it."
    ),
    "background-task-session": (
        "Let the task {function} get its session from what the endpoint was given (a session factory that is itself a "
        "dependency), instead of the module's own."
    ),
    "lifespan-engine": (
        "Let the lifespan take its engine or URL from something that tests can set before it runs, or set the test's "
        "own after the client has been entered."
    ),
    "attached-database": (
        "At {where} attach the file that a setting names, and let the tests set that to a file of their own: no URL of "
        "an engine and no override decides what is attached."
    ),
    "import-time-engine": "Move the statement at {where} out of the module's text, into the lifespan or a command.",
    "collection-time-import": (
        "Set {variable} before anything is imported (at the top of conftest.py, or in the environment of the command), "
        "or import the application inside the tests of {module}."
    ),
    "env-set-too-late": (
        "Set {variable} before the application is imported: at the top of conftest.py, or in the environment of the "
        "command; or let the application ask for it when it is used, and the tests put away what it has kept from "
        "before (cache_clear, dispose)."
    ),
    "variable-precedence": (
        "Do not set {variable} where the tests run; or, before the application is imported, take it away in "
        "conftest.py (os.environ.pop), or set it there (os.environ[...] = ..., not setdefault)."
    ),
    "variable-inherited": (
        "Do not set {variable} where the tests run (the shell, the Makefile, the CI job), or set it to the test "
        "database at the top of conftest.py, before the application is imported."
    ),
    "environment-not-handed-on": "At {where} hand {variable} on: env={{**os.environ, ...}}.",
    "variable-missing": (
        "Set {variable} to the test database at the top of conftest.py, before the application is imported (or asks "
        "for it, at {where})."
    ),
    "variable-removed": (
        "At {where} put {variable} back when it is done (monkeypatch.delenv does, at the end of the test), or do not "
        "take it away there."
    ),
    "memory-database-each": (
        "At {where} make the engine with poolclass=StaticPool and connect_args={{'check_same_thread': False}}, so that "
        "all share one connection; or use a file."
    ),
    "variable-set-wrong": "At {where} set {variable} to the test database.",
    "variable-not-asked-for": "At {where} set {wanted}, which is what the application asks for, instead of {variable}.",
    "settings-file": (
        "At {where} name the tests' own file by its path (load_dotenv() looks for .env in the folders above, too), or "
        "set {variable} in the environment first, which goes before files."
    ),
    "configured-by-the-tests": "At {where} name the test database, or leave the application as conftest.py sets it up.",
    "working-directory-changed": (
        "At {where} go back when it is done (monkeypatch.chdir does), or name {path} whole, from the place of the "
        "module that opens it (Path(__file__))."
    ),
    "session-routed": (
        "What {where} sends elsewhere goes past the engine that the tests give the session: let it take its engines "
        "from what tests can set, or let the tests' own factory do without (class_=Session, binds={{}})."
    ),
    "connected-elsewhere": "At {where} connect to the place that the engine's URL names, or leave `creator` out.",
    "dotenv-precedence": (
        "At {where} do not let the file go before the environment (load_dotenv(override=False)), or name the tests' "
        "own file of variables there."
    ),
    "from-import-early-binding": (
        "Refer to {name} through its module ({module}.{name}) where it is used, not as a copy or a default value, so "
        "that what the tests put there is found."
    ),
    "global-engine-rebound-not-restored": (
        "Put back what {where} replaces when the test is over (monkeypatch.setattr does), or let init take a context."
    ),
    "event-loop-bound-pool": (
        "Make the engine at {where} with poolclass=NullPool under test, dispose of it after each test, or run all "
        "tests on one loop (loop scope session)."
    ),
    "session-uncommitted": (
        "Commit at {where}, or let the override hand the application the very session that the fixture writes to."
    ),
    "engine-differs-by-process": (
        "At {where} let every worker come to a database of the tests: take its name from what each worker has "
        "(PYTEST_XDIST_WORKER, the fixture worker_id), and let none fall back on another."
    ),
    "engine-not-replaced": (
        "Let the application get it from something that tests can set or override (a setting that they write before it "
        "is imported, a dependency, app.state), instead of making it at {where} for itself."
    ),
    "session-kept": (
        "Open the session at {where} for each use, or put it away when it has been used (scoped_session.remove()), so "
        "that none from before is found there."
    ),
    "middleware-session": (
        "No override reaches a middleware: let the one at {where} go by what the application holds "
        "(request.app.state), or by what it is given when it is added, so that tests can set it."
    ),
    "no-separate-test-db": (
        "Give the tests a database of their own: set {variable} at the top of conftest.py to one that is there for "
        "tests, and refuse to run (kit guard) where it is not."
    ),
}


def advice(finding: Finding) -> str:
    """What to change where this finding is the cause; "" where its kind says it all."""
    wanted = _LOADED if finding.told("loads") else _MOVED if finding.told("move_to") else _ADVICE.get(finding.kind, "")
    wanted = _BY_OVERRIDE if finding.told("override") else wanted
    words = {**dict(finding.about), "where": finding.where, "file": finding.file or ""}
    return wanted.format_map(_Words(words))


def advice_on(kind: str, where: str) -> str:
    """What to change at a place, for a kind whose advice asks for nothing else."""
    return _ADVICE[kind].format(where=where)


class _Words(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "it"
