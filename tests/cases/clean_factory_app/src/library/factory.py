from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from library import admin, books
from library.tables import metadata


@dataclass(frozen=True)
class Config:
    database_url: str = "sqlite+aiosqlite:///library.db"


def create_app(config: Config) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI):
        engine = create_async_engine(config.database_url)
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        sessions = async_sessionmaker(engine)
        app.state.sessions = app_admin.state.sessions = sessions
        yield
        await engine.dispose()

    app, app_admin = FastAPI(lifespan=lifespan), FastAPI()
    app.include_router(books.router)
    app_admin.include_router(admin.router)
    app.mount("/admin", app_admin)
    return app
