from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

primary = create_engine("sqlite:///cellar.db")
replicas = {primary: create_engine("sqlite:///replica.db")}


class Base(DeclarativeBase):
    pass


class Wine(Base):
    __tablename__ = "wines"
    name: Mapped[str] = mapped_column(primary_key=True)


class RoutingSession(Session):
    def get_bind(self, mapper=None, clause=None, **rest):
        if clause is not None and clause.is_select and self.bind in replicas:
            return replicas[self.bind]
        return super().get_bind(mapper, clause=clause, **rest)


SessionLocal = sessionmaker(primary, class_=RoutingSession)


def get_db():
    with SessionLocal() as db:
        yield db
