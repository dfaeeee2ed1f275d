from sqlalchemy import create_engine, text

engine = create_engine("sqlite:///fleet-test.db")


def init_db(path):
    global engine
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("create table if not exists cars (plate text)"))
