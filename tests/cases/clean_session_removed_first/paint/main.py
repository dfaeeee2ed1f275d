from fastapi import FastAPI

from paint import orders

app = FastAPI()


@app.get("/orders")
async def all_orders() -> list[str]:
    return orders.colours()
