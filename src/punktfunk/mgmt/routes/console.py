"""The console's files, at every path that is nothing else."""

from __future__ import annotations

from fastapi import Request, Response

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.assets import Asset, find_asset
from punktfunk.mgmt.errors import not_found
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.shield import PAGE_POLICY

routes = Routes("console")


@routes.get(f"{API}/openapi.json", Rule.OPEN, include_in_schema=False)
async def document(request: Request) -> Response:
    """The OpenAPI document of this API."""
    return Response(request.app.state.document(), media_type="application/json")


@routes.get("/{path:path}", Rule.OPEN, include_in_schema=False)
async def console(request: Request) -> Response:
    """A file of the console."""
    assets: dict[str, Asset] = request.app.state.assets
    asset = find_asset(assets, str(request.scope["path"]))
    if asset is None:
        raise not_found("such page")
    kept = "public, max-age=31536000, immutable" if asset.immutable else "no-cache"
    headers = {
        "ETag": asset.etag,
        "Cache-Control": kept,
        "Content-Security-Policy": PAGE_POLICY,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    if asset.gzipped and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.gzipped, media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.data, media_type=asset.media_type, headers=headers)
