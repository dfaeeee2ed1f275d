import sys

from sqlalchemy import text

from app.db import factory

with factory()() as db:
    db.execute(text("insert into sites (name) values (:name)"), {"name": sys.argv[1]})
    db.commit()
