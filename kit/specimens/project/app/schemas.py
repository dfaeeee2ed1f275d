"""What requests carry and responses answer."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class NewSite(BaseModel):
    name: str
    url: str


class SiteOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    url: str
    status: str
    created_at: datetime


class SiteList(BaseModel):
    sites: list[SiteOut]
