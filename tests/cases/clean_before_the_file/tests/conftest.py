import os
import sqlite3
from contextlib import closing

os.environ["GARDEN_DB"] = "garden-test.db"

with closing(sqlite3.connect("garden-test.db")) as garden:
    garden.execute("create table if not exists moisture (percent integer)")
