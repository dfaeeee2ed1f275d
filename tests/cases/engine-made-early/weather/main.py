import logging

from fastapi import FastAPI
from sqlalchemy import text

from weather.store import get_engine

log = logging.getLogger(__name__)


def create_app() -> FastAPI:
    app = FastAPI()
    log.info("the weather is kept in %s", get_engine().url)  # <- culprit

    @app.put("/rain/{day}/{millimetres}", status_code=204)
    def fell(day: str, millimetres: int) -> None:
        with get_engine().begin() as connection:
            connection.execute(text("insert into rain values (:day, :mm)"), {"day": day, "mm": millimetres})

    return app
