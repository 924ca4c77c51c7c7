"""From a request as the server delivers it to the facts that the gate judges."""

from __future__ import annotations

import ipaddress

from fastapi import Request

from punktfunk.mgmt.gate import RequestFacts

CSRF_HEADER = "x-csrf-token"
CERTIFICATE_KEY = "punktfunk.client_certificate"
"""Where the server puts the fingerprint of the connection's client certificate into the ASGI scope."""


def facts_of(request: Request, cookie: str) -> RequestFacts:
    """The facts of a request; ``cookie`` is the name of the session cookie."""
    headers = request.headers
    address = address_of(request)
    return RequestFacts(
        method=request.method,
        host=headers.get("host", ""),
        origin=headers.get("origin", ""),
        fetch_site=headers.get("sec-fetch-site", ""),
        authorization=headers.get("authorization", ""),
        cookie=request.cookies.get(cookie, ""),
        csrf=headers.get(CSRF_HEADER, ""),
        content_type=headers.get("content-type", ""),
        has_body=headers.get("content-length", "0") != "0" or "transfer-encoding" in headers,
        address=address,
        loopback=is_loopback(address),
        certificate=request.scope.get(CERTIFICATE_KEY, ""),
    )


def address_of(request: Request) -> str:
    """The peer's address; empty where the server does not know it."""
    return request.client.host if request.client else ""


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine's loopback."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
