"""The suites that tools/other_suites.py runs: where each comes from, what it needs, how it is run."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """One suite. `{url}`, `{port}` and `{database}` in its arguments and variables stand for the server's."""

    name: str  # PART or HOME/PART: parts of one home share their files and environment
    requirement: str = ""  # on PyPI
    needs: tuple[str, ...] = ()  # further packages of its environment
    tests: str = "tests"  # the folder with its tests
    arguments: tuple[str, ...] = ("tests",)  # of pytest
    variables: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()  # folders of its source that would shadow installed packages
    drawn: str = ""  # a regular expression for parts of a test's name that are random in each run
    postgres: bool = False
    prepare: tuple[str, ...] = ()  # statements in the fresh database
    needed_source: str = ""  # the source to give with --source if PyPI's source distribution has no tests
    interpreter: str = ""  # of a suite that is already installed
    unittest: str = ""  # its module
    files: tuple[tuple[str, str], ...] = ()  # files to write for a project

    @property
    def home(self) -> str:
        """Its folder below the given one."""
        return self.name.partition("/")[0]

    @property
    def version(self) -> str:
        """What is run, and its version."""
        return self.requirement or f"of {self.interpreter}"


# Those that use what the probes touch: files and descriptors, processes, threads, loops, variables, sqlite3.
MODULES_OF_CPYTHON = (
    "test_sqlite3", "test_subprocess", "test_os", "test_threading", "test_asyncio", "test_unittest",
    "test_concurrent_futures", "test_import", "test_importlib", "test_contextlib", "test_site",
)

_OF_GITHUB = "a checkout of the tag {} of https://github.com/{}"
_PYTEST = "pytest==9.1.1"
_PYTEST_NEEDS = ("attrs", "hypothesis", "mock", "requests", "setuptools", "xmlschema", "pexpect")
_NEAR_THE_PROBES = (  # they test what the probes use or change
    "unittest", "threadexception", "unraisableexception", "recwarn", "warnings", "monkeypatch", "conftest", "runner",
    "runner_xunit", "pluginmanager", "reports", "session", "faulthandler", "nodes", "stash",
)
_SQLALCHEMY = "sqlalchemy==2.0.52"
_SQLALCHEMY_NEEDS = ("pytest==8.4.2", "greenlet", "typing-extensions", "aiosqlite", "asyncpg", "psycopg2-binary")
_SQLALCHEMY_PARTS = (
    "test/engine", "test/base", "test/dialect/postgresql/test_dialect.py", "test/sql/test_resultset.py",
    "test/sql/test_type_expressions.py", "test/ext/asyncio",
)
_PSYCOPG, _PSYCOPG_NEEDS = "psycopg[binary,pool]==3.3.4", ("pytest", "anyio", "pproxy")
_OF_PSYCOPG = _OF_GITHUB.format("3.3.4", "psycopg/psycopg")
_SCHEMAS = ("create schema test_schema", "create schema test_schema_2")

# SQLAlchemy contains the test suite for third-party dialects; this sets it up as README.dialects.rst describes.
_DIALECT = (
    ("setup.cfg", "[sqla_testing]\nrequirement_cls = sqlalchemy.testing.requirements:SuiteRequirements\n"
                  "profile_file = profiles.txt\n[db]\ndefault = sqlite://\n"),
    ("conftest.py", "import pytest\n\npytest.register_assert_rewrite('sqlalchemy.testing.assertions')\n"
                    "from sqlalchemy.testing.plugin.pytestplugin import *\n"),
    ("test_suite.py", "from sqlalchemy.testing.suite import *\n"),
    ("test_short.py", "".join(f"from sqlalchemy.testing.suite.test_{part} import *\n"
                              for part in ("insert", "results", "rowcount"))),
)

# Suites inside packages of the kit's own environment: they need neither network nor `get`.
INSTALLED = (
    Suite("installed/aiosqlite", interpreter=sys.executable, unittest="aiosqlite.tests.smoke"),
    Suite("installed/tornado-processes", interpreter=sys.executable, unittest="tornado.test.process_test"),
    Suite("installed/tornado-asyncio", interpreter=sys.executable, unittest="tornado.test.asyncio_test"),
    Suite("installed/sqlalchemy-short", interpreter=sys.executable, files=_DIALECT, arguments=("test_short.py",)),
    Suite("installed/sqlalchemy-sqlite", interpreter=sys.executable, files=_DIALECT,
          arguments=("test_suite.py", "-k", "not Reflection and not HasTable and not HasIndex")),
    Suite("installed/sqlalchemy-psycopg2", interpreter=sys.executable, files=_DIALECT, postgres=True, prepare=_SCHEMAS,
          arguments=("test_suite.py", "--dburi", "postgresql+psycopg2://{url}")),
    Suite("installed/sqlalchemy-psycopg", interpreter=sys.executable, files=_DIALECT, postgres=True, prepare=_SCHEMAS,
          arguments=("test_suite.py", "--dburi", "postgresql+psycopg://{url}")),
    Suite("installed/sqlalchemy-asyncpg", interpreter=sys.executable, files=_DIALECT, postgres=True, prepare=_SCHEMAS,
          arguments=("test_suite.py", "--dburi", "postgresql+asyncpg://{url}")),
)

SUITES = (
    Suite(
        "pytest/near", _PYTEST, needs=_PYTEST_NEEDS, tests="testing",
        arguments=tuple(f"testing/test_{name}.py" for name in _NEAR_THE_PROBES),
    ),
    Suite(
        "pytest/rest", _PYTEST, needs=_PYTEST_NEEDS, tests="testing",
        arguments=("testing", *(f"--ignore=testing/test_{name}.py" for name in _NEAR_THE_PROBES)),
    ),
    Suite(
        "fastapi", "fastapi[all]==0.165.0",
        needs=(
            "pytest>=9,<9.2", "anyio[trio]", "dirty-equals", "flask", "httpx", "httpx2", "inline-snapshot",
            "pwdlib[argon2]", "pyjwt", "pyyaml", "sqlmodel==0.0.50", "strawberry-graphql", "a2wsgi", "typer",
            "pytest-timeout", "pytest-xdist", "python-slugify", "coverage", "mypy",
        ),
        arguments=("-o", "timeout=0", "tests"),  # a busy machine exceeds its limit of 20 s
    ),
    Suite(
        "starlette", "starlette[full]==1.10.0",
        needs=("pytest>=9.1.1", "trio", "httpx2[zstd]", "importlib-metadata", "opentelemetry-sdk"),
    ),
    Suite(
        "sqlmodel", "sqlmodel==0.0.50",
        needs=("pytest", "dirty-equals", "fastapi", "httpx", "jinja2", "black", "typer", "aiosqlite", "alembic",
               "pyyaml", "pymysql", "sqlalchemy[asyncio]"),
    ),
    Suite(
        "sqlalchemy/sqlite", _SQLALCHEMY, needs=_SQLALCHEMY_NEEDS, tests="test",
        arguments=("--db", "sqlite", *_SQLALCHEMY_PARTS),
    ),
    Suite(
        "sqlalchemy/aiosqlite", _SQLALCHEMY, needs=_SQLALCHEMY_NEEDS, tests="test",
        arguments=("--db", "aiosqlite", *_SQLALCHEMY_PARTS),
    ),
    Suite(
        "sqlalchemy/asyncpg", _SQLALCHEMY, needs=_SQLALCHEMY_NEEDS, tests="test", postgres=True, prepare=_SCHEMAS,
        arguments=("--dburi", "postgresql+asyncpg://{url}", *_SQLALCHEMY_PARTS),
    ),
    Suite(
        "sqlalchemy/psycopg2", _SQLALCHEMY, needs=_SQLALCHEMY_NEEDS, tests="test", postgres=True, prepare=_SCHEMAS,
        arguments=("--dburi", "postgresql+psycopg2://{url}", *_SQLALCHEMY_PARTS),
    ),
    Suite(
        "psycopg/pool", _PSYCOPG, postgres=True, needs=_PSYCOPG_NEEDS, needed_source=_OF_PSYCOPG,
        arguments=("tests/pool", "--test-dsn=postgresql://{url}", "-m", "not slow"),
    ),
    Suite(
        "psycopg/rest", _PSYCOPG, postgres=True, needs=_PSYCOPG_NEEDS, needed_source=_OF_PSYCOPG,
        arguments=("tests", "--ignore=tests/pool", "--test-dsn=postgresql://{url}", "-m", "not slow"),
    ),
    Suite(
        "psycopg2", "psycopg2-binary==2.9.12", needs=("pytest",), postgres=True,
        variables=(("PSYCOPG2_TESTDB", "{database}"), ("PSYCOPG2_TESTDB_HOST", "127.0.0.1"),
                   ("PSYCOPG2_TESTDB_PORT", "{port}"), ("PSYCOPG2_TESTDB_USER", "postgres")),
    ),
    Suite(
        "asyncpg", "asyncpg==0.31.0", needs=("pytest", "uvloop", "distro"), postgres=True, without=("asyncpg",),
        variables=(("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGUSER", "postgres"), ("PGDATABASE", "{database}")),
    ),
    Suite("aiosqlite", "aiosqlite==0.22.1", needs=("pytest",), tests="aiosqlite/tests",
          arguments=("aiosqlite/tests/smoke.py",)),
    Suite(
        "databases", "databases[asyncpg,aiosqlite]==0.9.0", postgres=True,
        needs=("pytest>=8,<9", "httpx==0.24.1", "starlette==0.36.2", "aiosqlite==0.20.0", "sqlalchemy<2.1",
               "psycopg2-binary", "requests", "aiomysql", "asyncmy", "aiopg", "pymysql"),
        arguments=("-o", "pythonpath=.", "tests"),
        variables=(("TEST_DATABASE_URLS", "sqlite+aiosqlite:///suite.db, postgresql+asyncpg://{url}"),),
        needed_source=_OF_GITHUB.format("0.9.0", "encode/databases"),
    ),
    Suite(
        "tortoise-orm", "tortoise-orm[asyncpg,psycopg]==1.1.9",
        needs=("pytest", "pytest-asyncio", "cryptography", "aiomysql", "pytz", "pyyaml", "asgi-lifespan", "httpx",
               "starlette", "fastapi", "pydantic"),
        arguments=("tests", "--ignore=tests/contrib/test_blacksheep.py"),
        variables=(("TORTOISE_TEST_DB", "sqlite://:memory:"),),
    ),
    Suite(  # the newest version whose fixtures, too, are at hand; pyodbc needs the system's unixodbc
        "tortoise-0.22", "tortoise-orm[asyncpg,psycopg]==0.22.2", without=("tortoise",),
        needs=("pytest<9", "pytest-asyncio<1", "cryptography", "aiomysql", "pytz", "pyyaml", "asgi-lifespan", "httpx",
               "starlette", "fastapi", "pydantic", "asyncodbc", "pyodbc"),
        arguments=("tests", "--ignore=tests/contrib/test_blacksheep.py"),
        variables=(("TORTOISE_TEST_DB", "sqlite://:memory:"),),
        needed_source=_OF_GITHUB.format("0.22.2", "tortoise/tortoise-orm"),
    ),
    Suite(
        "fastapi-users", "fastapi-users[sqlalchemy,oauth]==15.0.5", drawn=r"(?<=\[)[\w-]{43}(?=[\]-])",
        needs=("pytest", "pytest-asyncio", "pytest-mock", "httpx", "asgi-lifespan", "redis", "uvicorn"),
    ),
)
