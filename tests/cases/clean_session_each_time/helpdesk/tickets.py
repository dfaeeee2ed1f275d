from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(create_engine("sqlite:///helpdesk.db"))


class Tickets:
    def open(self, subject: str) -> None:
        with SessionLocal.begin() as db:
            db.execute(text("insert into tickets values (:subject)"), {"subject": subject})

    def subjects(self) -> list[str]:
        with SessionLocal() as db:
            return list(db.scalars(text("select subject from tickets order by subject")))


tickets = Tickets()
