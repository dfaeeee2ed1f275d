import os

from sqlalchemy import create_engine, text

archive = create_engine(os.environ["ARCHIVE_URL"])


def remember(number: int) -> None:
    with archive.begin() as connection:
        connection.execute(text("insert into archived values (:number)"), {"number": number})
