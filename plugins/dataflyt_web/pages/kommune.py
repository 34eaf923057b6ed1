"""Kommune."""

from typing import Any

from fastapi import APIRouter, Request

from dataflyt_web.login import Visiting
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("kommune.title", "")


@router.get("/kommune/{kommune_id}")
def show_kommune(request: Request, visit: Visiting) -> Any:
    """Show a kommune."""
    return show(request, "kommune.html", visit)
