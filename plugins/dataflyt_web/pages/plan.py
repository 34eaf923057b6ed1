"""Kommune."""

from typing import Any

from fastapi import APIRouter, Request

from dataflyt_web.login import Visiting
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("plan.title", "plan")


@router.get("/kommune/{kommune_id}/plan")
def show_plan(request: Request, visit: Visiting) -> Any:
    """Show a kommune."""
    return show(request, "plan.html", visit)
