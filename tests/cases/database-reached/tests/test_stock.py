import os
import sqlite3
import subprocess
import sys
from contextlib import closing

os.environ["DEPOT_DB"] = "depot-test.db"

from fastapi.testclient import TestClient

from depot.main import app

DELIVER = """
import sqlite3
depot = sqlite3.connect("depot.db")
depot.execute("insert into pallets values ('tiles')")
depot.commit()
"""


def test_a_delivery_is_counted():
    with closing(sqlite3.connect("depot-test.db")) as depot, depot:
        depot.execute("create table if not exists pallets (goods text)")
    subprocess.run([sys.executable, "-c", DELIVER], check=True)  # <- culprit
    assert TestClient(app).get("/stock").json() == 1
