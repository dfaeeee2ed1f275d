import sys

from sqlalchemy import text

from app.db import SessionLocal

with SessionLocal() as db:
    db.execute(text("insert into sites (name) values (:name)"), {"name": sys.argv[1]})
    db.commit()
