from sqlalchemy import text

from paint.db import Session

PRICES = dict(Session().execute(text("select colour, price from prices")).all())  # <- also


def colours() -> list[str]:
    return list(Session().scalars(text("select colour from orders order by rowid")))
