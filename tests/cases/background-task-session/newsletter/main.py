from fastapi import FastAPI

from newsletter.routers import subscribers

app = FastAPI(title="Newsletter")
app.include_router(subscribers.router, prefix="/api")
