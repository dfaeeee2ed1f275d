from sqlalchemy import create_engine, text


def cows(url):
    with create_engine(url).begin() as connection:
        connection.execute(text("create table if not exists cows (name text)"))
        return list(connection.scalars(text("select name from cows")))
