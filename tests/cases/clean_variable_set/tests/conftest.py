import os
import sqlite3
from contextlib import closing

os.environ["CLINIC_DATABASE_URL"] = "sqlite:///clinic-test.db"

with closing(sqlite3.connect("clinic-test.db")) as clinic:
    clinic.execute("create table if not exists appointments (day text)")
