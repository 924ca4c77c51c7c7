"""One GET per connection, as every client does it, and the XML rules around it (gamestream.md §2.1, §2.2)."""

import asyncio
import contextlib
import hashlib
import re
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from .errors import HttpFailed
from .identity import Identity, anonymous_tls
from .violations import Violations

UNIQUE_ID = "0123456789ABCDEF"
MAX_RESPONSE_BYTES = 16 << 20
CLOSE_GRACE_S = 1.0


@dataclass(frozen=True)
class Response:
    """A raw HTTP answer. ``chain`` holds the DER certificates that the host showed, outermost first."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    chain: tuple[bytes, ...] = ()

    @property
    def text(self) -> str:
        return self.body.decode()


async def get(
    host: str,
    port: int,
    path: str,
    query: Mapping[str, str],
    *,
    tls: ssl.SSLContext | None,
    violations: Violations,
    timeout_s: float,
) -> Response:
    """Fetch one document. Raises OSError, ssl.SSLError or TimeoutError when there is no answer."""
    target = path + ("?" + urlencode(query) if query else "")
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=MAX_RESPONSE_BYTES)
        try:
            chain = _chain(writer.get_extra_info("ssl_object"))
            authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            writer.write(f"GET {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n\r\n".encode())
            await writer.drain()
            return await _read_response(reader, chain, path, violations)
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1)


async def _read_response(
    reader: asyncio.StreamReader, chain: tuple[bytes, ...], path: str, violations: Violations
) -> Response:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError(f"{path}: closed without an answer") from error
    status_line, *lines = head.rstrip("\r\n").split("\r\n")
    matched = re.fullmatch(r"HTTP/1\.[01] (\d{3})(?: .*)?", status_line)
    if matched is None:
        raise HttpFailed(path, 0, f"not HTTP: {status_line!r}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "transfer-encoding" in headers:
        violations.add("http.transfer-encoding", f"{path}: {headers['transfer-encoding']}")
    length = headers.get("content-length")
    if length is None:
        body = await reader.read(-1)
    else:
        body = await reader.readexactly(int(length))
        await _expect_close(reader, path, violations)
    return Response(int(matched[1]), headers, body, chain)


async def _expect_close(reader: asyncio.StreamReader, path: str, violations: Violations) -> None:
    try:
        extra = await asyncio.wait_for(reader.read(1), CLOSE_GRACE_S)
    except TimeoutError:
        violations.add("http.keep-alive", f"{path}: connection left open")
    except (OSError, ssl.SSLError):
        return
    else:
        if extra:
            violations.add("http.extra-bytes", path)


def _chain(tls: Any) -> tuple[bytes, ...]:
    if tls is None:
        return ()
    # The public method for the whole chain only exists from Python 3.13 on.
    chain = tls._sslobj.get_unverified_chain() or []
    return tuple(ssl.PEM_cert_to_DER_cert(link.public_bytes()) for link in chain)


def request_parameters(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every client adds to every request, and ``extra``."""
    return {"uniqueid": UNIQUE_ID, "uuid": str(uuid.uuid4()), **(extra or {})}


def parse_root(path: str, response: Response, violations: Violations) -> ElementTree.Element:
    """The document's root when its ``status_code`` is 200; HttpFailed otherwise."""
    if response.status != 200:
        violations.add("http.status", f"{path}: HTTP status {response.status}")
        raise HttpFailed(path, response.status, "HTTP status")
    try:
        root = ElementTree.fromstring(response.body)
    except ElementTree.ParseError as error:
        violations.add("http.xml", f"{path}: {error}")
        raise HttpFailed(path, 0, f"not XML: {error}") from error
    if root.tag != "root" or not (root.get("status_code") or "").lstrip("-").isdigit():
        violations.add("http.root", f"{path}: <{root.tag} {root.attrib}>")
        raise HttpFailed(path, 0, "no root element with a status code")
    code = int(root.attrib["status_code"])
    if code != 200:
        if not root.get("status_message"):
            violations.add("http.no-status-message", f"{path}: {code}")
        raise HttpFailed(path, code, root.get("status_message") or "")
    return root


def text_of(root: ElementTree.Element, name: str) -> str | None:
    """The text of the first element called ``name``, anywhere in the document; None without one."""
    found = next(root.iter(name), None)
    return None if found is None else (found.text or "")


class HttpClient:
    """GET with and without TLS, pinning and the client certificate."""

    def __init__(self, host: str, http_port: int, identity: Identity, violations: Violations) -> None:
        self.host, self.http_port = host, http_port
        self.https_port: int | None = None
        self.pinned: bytes | None = None
        self._identity, self._violations = identity, violations

    async def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        https: bool,
        with_cert: Identity | bool = True,
        timeout_s: float = 30,
        standard_parameters: bool = True,
    ) -> Response:
        """Fetch ``path``. ``with_cert`` False shows no certificate, an Identity shows that one instead."""
        parameters = request_parameters(query) if standard_parameters else dict(query or {})
        tls = self._tls(with_cert) if https else None
        port = self.https_port if https else self.http_port
        if port is None:
            raise HttpFailed(path, 0, "the HTTPS port is not known before /serverinfo")
        response = await get(
            self.host, port, path, parameters, tls=tls, violations=self._violations, timeout_s=timeout_s
        )
        if https:
            self._check_certificate(path, response.chain)
        return response

    async def document(
        self, path: str, query: Mapping[str, str] | None = None, *, https: bool, timeout_s: float = 30
    ) -> ElementTree.Element:
        return parse_root(path, await self.get(path, query, https=https, timeout_s=timeout_s), self._violations)

    def _tls(self, with_cert: Identity | bool) -> ssl.SSLContext:
        if with_cert is False:
            return anonymous_tls()
        return (self._identity if with_cert is True else with_cert).tls()

    def _check_certificate(self, path: str, chain: tuple[bytes, ...]) -> None:
        if len(chain) != 1:
            self._violations.add("tls.chain-length", f"{path}: {len(chain)} certificates")
        if self.pinned is not None and (not chain or chain[0] != self.pinned):
            self._violations.add("tls.certificate-changed", path)
            shown = hashlib.sha256(chain[0]).hexdigest() if chain else "nothing"
            raise HttpFailed(path, 0, f"the host showed another certificate than at pairing: {shown}")
