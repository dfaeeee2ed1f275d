import os

os.environ["HALL_DB"] = "sqlite:///hall.sqlite3"
