from fastapi import FastAPI

from ledger import accounts, postings


def create_app():
    app = FastAPI()

    @app.get("/balance")
    async def balance():
        return {"balance": await accounts.balance()}

    @app.post("/entries/{amount}", status_code=202)
    async def enter(amount: int):
        await postings.post(amount)
        return {}

    return app
