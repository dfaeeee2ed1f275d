from fastapi import FastAPI, Request
from sqlalchemy import create_engine, text


def create_app(database="clinic.sqlite3"):
    app = FastAPI()
    app.state.engine = create_engine(f"sqlite:///{database}")

    @app.get("/patients")
    def patients(request: Request):
        with request.app.state.engine.connect() as connection:
            return connection.execute(text("select count(*) from patients")).scalar()

    return app
