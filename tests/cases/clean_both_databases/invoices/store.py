import os
import sqlite3


def get_db():
    db = sqlite3.connect(os.environ["INVOICES_DB"], check_same_thread=False)
    try:
        yield db
    finally:
        db.close()
