from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

SessionLocal = sessionmaker(create_engine("sqlite:///helpdesk.db"))


class Tickets:
    def __init__(self, db: Session) -> None:
        self.db = db

    def open(self, subject: str) -> None:
        self.db.execute(text("insert into tickets values (:subject)"), {"subject": subject})
        self.db.commit()

    def subjects(self) -> list[str]:
        return list(self.db.scalars(text("select subject from tickets order by subject")))


tickets = Tickets(SessionLocal())  # <- culprit
