import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["WEATHER_DATABASE_URL"])  # <- culprit
Session = async_sessionmaker(engine)
