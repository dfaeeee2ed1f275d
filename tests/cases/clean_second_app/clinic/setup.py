from sqlalchemy import text

from clinic.app import create_app


def create_tables(database):
    with create_app(database).state.engine.begin() as connection:
        connection.execute(text("create table if not exists patients (name text)"))
        connection.execute(text("create table if not exists wards (name text)"))
    app = create_app(database)
    with app.state.engine.begin() as connection:
        connection.execute(text("insert into wards values ('north')"))
