from sqlalchemy.orm import Mapped, mapped_column

from orchard.store import Base


class Tree(Base):  # <- culprit
    __tablename__ = "trees"
    name: Mapped[str] = mapped_column(primary_key=True)
