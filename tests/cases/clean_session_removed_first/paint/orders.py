from sqlalchemy import text

from paint.db import Session


def colours() -> list[str]:
    return list(Session().scalars(text("select colour from orders order by rowid")))
