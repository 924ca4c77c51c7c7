"""What endpoints ask for: the host's management and the caller."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from punktfunk.mgmt.access import Principal
from punktfunk.mgmt.management import Management


async def _management(request: Request) -> Management:
    management: Management = request.app.state.management
    return management


async def _principal(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


Context = Annotated[Management, Depends(_management)]
Caller = Annotated[Principal, Depends(_principal)]
