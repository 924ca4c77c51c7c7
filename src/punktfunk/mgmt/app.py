"""The application: every route, how errors are answered, and its OpenAPI document."""

from __future__ import annotations

import functools
import json
import math

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from punktfunk import __version__
from punktfunk.mgmt.assets import Asset, load_assets
from punktfunk.mgmt.errors import ApiError
from punktfunk.mgmt.guarded import check_all_guarded
from punktfunk.mgmt.hostname import AllowedHosts
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.routes import ALL_ROUTES
from punktfunk.mgmt.shield import Shield
from punktfunk.mgmt.stored import AuthFileError

MAX_MESSAGES = 5
_DESCRIPTION = (
    'Everything that the console does. Errors are `{"error": "…"}`. `x-access` of a route says who may use it; '
    "docs/api.md explains the rights, signing in, and events."
)
_ERROR = {
    "type": "object",
    "description": "Every refusal (punktfunk1.md §10.1).",
    "properties": {"error": {"type": "string", "description": "One sentence for people."}},
    "required": ["error"],
    "additionalProperties": False,
}
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token, or on this machine mgmt-token."},
    "console": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-punktfunk",
        "description": "A browser session; changes also need its X-CSRF-Token header.",
    },
    "device": {"type": "mutualTLS", "description": "The certificate of a paired punktfunk/1 client."},
}


def create_app() -> FastAPI:
    """The application with all routes and without the state that they work on; good for its document."""
    app = FastAPI(
        title="punktfunk-host",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for routes in ALL_ROUTES:
        routes.install(app)
    check_all_guarded(app)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(AuthFileError, _auth_file_error)
    app.add_exception_handler(RequestValidationError, _wrong_value)
    app.add_exception_handler(HTTPException, _http_error)
    return app


@functools.cache
def openapi_text() -> str:
    """The OpenAPI 3.1 document as JSON."""
    document = create_app().openapi()
    document["components"]["securitySchemes"] = _SCHEMES
    document["components"]["schemas"]["Error"] = _ERROR
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def serve_app(management: Management, hosts: AllowedHosts, assets: dict[str, Asset] | None = None) -> ASGIApp:
    """The application as it is served, with its state and the shield around it."""
    app = create_app()
    app.state.management = management
    app.state.assets = load_assets() if assets is None else assets
    app.state.document = openapi_text
    return Shield(app, hosts)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="punktfunk"'
    return JSONResponse({"error": error.message}, error.status, headers)


async def _auth_file_error(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 503)


async def _wrong_value(_request: Request, error: Exception) -> Response:
    """Names the fields that are wrong and never repeats what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)
    found = [
        f"{'.'.join(str(part) for part in item['loc'][1:]) or item['loc'][0]}: {item['msg']}"
        for item in error.errors()[:MAX_MESSAGES]
    ]
    return JSONResponse({"error": "; ".join(found)}, 422)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)
