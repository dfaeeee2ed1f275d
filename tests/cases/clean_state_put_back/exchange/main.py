from fastapi import FastAPI

RATES = {"EUR": 1.0, "USD": 1.25}
ROUNDED: list[str] = []
app = FastAPI()


@app.get("/convert/{euros}/{currency}")
def convert(euros: float, currency: str) -> float:
    amount = euros * RATES[currency]
    return round(amount) if currency in ROUNDED else amount
