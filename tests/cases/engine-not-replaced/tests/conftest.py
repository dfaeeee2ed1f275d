import os
import sqlite3
from contextlib import closing

os.environ["INVOICES_DB"] = "invoices-test.db"

with closing(sqlite3.connect("invoices-test.db")) as db:
    db.execute("create table if not exists invoices (number integer)")
