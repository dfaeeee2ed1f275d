import os
import sqlite3

LIMIT = int(os.environ.get("PARKING_LIMIT", "300"))


def get_garage():
    garage = sqlite3.connect("garage.db", check_same_thread=False)
    try:
        yield garage
    finally:
        garage.close()
