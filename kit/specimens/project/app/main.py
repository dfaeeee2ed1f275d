"""The application: `uvicorn app.main:app` serves it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.database import get_async_engine_instance
from app.routers import sites


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await get_async_engine_instance().dispose()


def create_app() -> FastAPI:
    app = FastAPI(title="Site watch", lifespan=lifespan)
    app.include_router(sites.router)
    return app


app = create_app()
