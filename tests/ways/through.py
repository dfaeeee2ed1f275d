"""Ways that --db-guard does not stop, as docs/guard.md lists them. Each must succeed, so that the page stays true.

`tests/live/test_guard_ways.py` runs them under --db-guard, with a live server for production. A way that the guard
learns to stop moves to `stopped.py` and is removed from the page.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import shlex
import socket
import sqlite3
import struct
import subprocess
import sys

import psycopg2
import sqlalchemy
from conftest import PRODUCTION, quietly

FILE = "through.db"


def test_python_that_ignores_its_environment(code):
    quietly(sys.executable, "-I", "-c", code)


def test_python_from_an_empty_environment(code):
    quietly("env", "-i", sys.executable, "-c", code)


def test_python_whose_path_is_set_anew(code):
    subprocess.run(f"PYTHONPATH=src {shlex.join([sys.executable, '-c', code])}", shell=True, check=False)


def test_another_interpreter_in_the_process():
    try:
        import _interpreters as interpreters
    except ImportError:  # before Python 3.13
        import _xxsubinterpreters as interpreters

    interpreters.run_string(interpreters.create(), "import sqlite3; sqlite3.connect('other-interpreter.db')")
    assert pathlib.Path("other-interpreter.db").exists()


def test_program_that_starts_a_client(statement):
    """Perl here; a compiled program, `make` or `npm` behave the same."""
    quietly("perl", "-e", "exec @ARGV", "psql", PRODUCTION, "-c", statement)


def test_client_that_reads_what_to_do(statement):
    """`\\connect` on the standard input of a client that was started for an allowed database."""
    told = f'\\connect "{PRODUCTION}"\n{statement};\n'
    subprocess.run(["psql", os.environ["TEST"]], input=told, text=True, check=True, stdout=subprocess.DEVNULL)


def test_shell_that_reads_what_to_do(statement):
    """A here-document is standard input, too."""
    client = shlex.join(["psql", PRODUCTION, "-c", statement])
    subprocess.run(f"sh <<'END'\n{client}\nEND\n", shell=True, check=True, stdout=subprocess.DEVNULL)


def test_client_that_its_settings_lead_elsewhere(statement, tmp_path):
    """`\\connect` in the file that psql reads before its own commands."""
    settings = tmp_path / "psqlrc"
    settings.write_text(f'\\connect "{PRODUCTION}"\n{statement};\n')
    told = {**os.environ, "PSQLRC": str(settings)}
    subprocess.run(["psql", os.environ["TEST"], "-c", "select 1"], env=told, check=True, stdout=subprocess.DEVNULL)


def test_library_by_ctypes(statement):
    """A call into a C library (here psycopg2's libpq) raises no audit event."""
    folder = pathlib.Path(psycopg2.__file__).parents[1] / "psycopg2_binary.libs"
    library = ctypes.CDLL(str(next(folder.glob("libpq*"))))
    library.PQconnectdb.restype = library.PQexec.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(library.PQconnectdb(PRODUCTION.encode()))
    library.PQexec(connection, statement.encode())
    library.PQfinish(connection)


def test_system_by_ctypes(code):
    ctypes.CDLL(None).system(shlex.join([sys.executable, "-I", "-c", code]).encode())


def test_protocol_spoken_by_the_application():
    """A protocol implemented over a plain socket, up to the server's first answer: the guard judges no sockets."""
    url = sqlalchemy.make_url(PRODUCTION)
    with socket.create_connection((url.host, url.port)) as connection:
        said = struct.pack("!I", 3 << 16) + f"user\0{url.username}\0database\0{url.database}\0\0".encode()
        connection.sendall(struct.pack("!I", len(said) + 4) + said)
        assert connection.recv(1) == b"R"


def test_server_that_connects_itself(statement):
    """An allowed server that connects to another one (here COPY TO PROGRAM; dblink and postgres_fdw likewise)."""
    connection = psycopg2.connect(os.environ["TEST_AS_SUPERUSER"])
    command = f"{os.environ['PSQL']} '{PRODUCTION}' -c \"{statement}\"".replace("'", "''")
    cursor = connection.cursor()
    cursor.execute("set log_statement = none")  # the server's log would have the password
    cursor.execute(f"copy (select 1) to program '{command}'")


def test_role_that_all_databases_share():
    """A role belongs to no database: changing it on an allowed database changes it for the whole server."""
    connection = psycopg2.connect(os.environ["TEST_AS_SUPERUSER"])
    connection.autocommit = True
    connection.cursor().execute("create role through")
    connection.cursor().execute("drop role through")


def test_another_name_of_a_file(tmp_path):
    """A hard link: two names of one file, neither of which is the real one."""
    pathlib.Path(FILE).touch()
    os.link(FILE, "test-link.db")
    with sqlite3.connect("test-link.db") as connection:
        connection.execute("create table t (x)")
    assert pathlib.Path(FILE).read_bytes()
