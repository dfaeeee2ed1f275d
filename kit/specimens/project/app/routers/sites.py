"""The sites that are watched: list them, get one, add one."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, HTTPException, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app import crud
from app.database import get_db
from app.models import Site
from app.schemas import NewSite, SiteList, SiteOut

router = APIRouter(prefix="/sites", tags=["sites"])


@router.get("", response_model=SiteList)
async def list_sites(db: AsyncSession = Depends(get_db)) -> dict[str, Sequence[Site]]:
    return {"sites": await crud.list_sites()}


@router.get("/{site_id}", response_model=SiteOut)
async def get_site(site_id: int, db: AsyncSession = Depends(get_db)) -> Site:
    site = await crud.get_site(site_id)
    if site is None:
        raise HTTPException(status_code=404, detail="No such site")
    return site


@router.post("", response_model=SiteOut, status_code=201)
async def create_site(new: NewSite, response: Response, db: AsyncSession = Depends(get_db)) -> Site:
    site = await crud.create_site(new.name, new.url)
    response.headers["Location"] = f"/sites/{site.id}"
    return site
