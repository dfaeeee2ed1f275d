from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite:///data/catalogue.db")
Session = async_sessionmaker(engine, expire_on_commit=False)


async def session():
    async with Session() as opened:
        yield opened
