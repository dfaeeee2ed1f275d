from sqlalchemy import create_engine, text

archive = create_engine("sqlite:///archive.db")  # <- culprit


def remember(number: int) -> None:
    with archive.begin() as connection:
        connection.execute(text("insert into archived values (:number)"), {"number": number})
