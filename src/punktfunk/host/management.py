"""Starts the management API on the running host and says how to reach it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from OpenSSL import SSL

from punktfunk.browser.websocket import WebSocketPage
from punktfunk.discovery.network import routed_address
from punktfunk.host import logs
from punktfunk.host.management_view import RunningHost
from punktfunk.host.settings import Settings
from punktfunk.host.settings_load import LoadedSettings
from punktfunk.mgmt.account import Account
from punktfunk.mgmt.app import serve_app
from punktfunk.mgmt.audit import AuditLog
from punktfunk.mgmt.hostname import AllowedHosts, same_origin
from punktfunk.mgmt.log_ring import LogRing
from punktfunk.mgmt.machine_token import VARIABLE, MachineTokenError, load_machine_token
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.own_certificate import OwnCertificateError, add_own_certificate
from punktfunk.mgmt.recordings import RecordingFiles
from punktfunk.mgmt.server import ApiServer
from punktfunk.mgmt.setup_link import setup_url
from punktfunk.mgmt.stored import AuthFileError
from punktfunk.mgmt.tls import identity_context
from punktfunk.trust.identity import COMMON_NAME, Identity, load_native_identity, load_unique_id

if TYPE_CHECKING:
    from punktfunk.host.app import Host

log = logging.getLogger(__name__)


class ManagementError(Exception):
    """The API cannot start; the message says why and what to do."""


@dataclass
class RunningApi:
    """The API of a running host. ``setup_link`` is empty once a password was chosen; show it, never log it."""

    url: str
    fingerprint: str
    setup_link: str


async def start_management(host: Host, loaded: LoadedSettings, exits: contextlib.AsyncExitStack) -> RunningApi:
    """Serve the API until ``exits`` is closed. Raises ManagementError, OSError."""
    settings = loaded.settings
    identity = await asyncio.to_thread(load_native_identity, settings.host.config_dir)
    ring = _keep_log_lines(exits)
    try:
        management = Management(
            host=RunningHost(host, loaded, identity.fingerprint, load_unique_id(settings.host.config_dir)),
            store=host.store,
            account=Account(settings.host.config_dir),
            audit=AuditLog(settings.host.state_dir),
            logs=ring,
            recordings=RecordingFiles(settings.host.state_dir / "recordings"),
            machine_token=load_machine_token(settings.host.config_dir, host.environment.get(VARIABLE, "")),
            cookie=f"__Host-punktfunk-{settings.network.mgmt_port}",
        )
        context = _context(identity, settings)
    except (AuthFileError, MachineTokenError, OwnCertificateError) as error:
        raise ManagementError(str(error)) from error
    names = (settings.host.name, socket.gethostname(), COMMON_NAME, *settings.mgmt.allowed_hosts)
    # Building the routes takes a moment; the event loop has clients to serve.
    app = await asyncio.to_thread(serve_app, management, AllowedHosts(names))
    hosts = AllowedHosts(names)
    websocket = None
    if host.browser is not None:
        websocket = WebSocketPage.factory(
            host.browser.connected, lambda name, o: hosts.allows(name) and same_origin(o, name)
        )
    server = ApiServer(app, context, websocket)
    await server.start(settings.network.bind_address, settings.network.mgmt_port)
    exits.push_async_callback(server.close)
    watching = asyncio.create_task(management.run())
    exits.callback(watching.cancel)
    url = _url(settings)
    secret = "" if management.account.has_password else management.setup.make(time.monotonic())
    return RunningApi(url, identity.fingerprint, setup_url(url, secret) if secret else "")


def _keep_log_lines(exits: contextlib.AsyncExitStack) -> LogRing:
    ring = LogRing(lambda text: logs.one_line(logs.redact(text)))
    root = logging.getLogger()
    root.addHandler(ring)
    exits.callback(root.removeHandler, ring)
    return ring


def _context(identity: Identity, settings: Settings) -> SSL.Context:
    context = identity_context(identity)
    certificate, key = settings.mgmt.certificate, settings.mgmt.key
    if certificate or key:
        if not (certificate and key):
            raise OwnCertificateError("mgmt.certificate and mgmt.key belong together; set both or none")
        names = add_own_certificate(context, Path(certificate).expanduser(), Path(key).expanduser())
        log.info("the console has a certificate of its own for %s", ", ".join(names))
    return context


def _url(settings: Settings) -> str:
    address = settings.network.bind_address or routed_address() or "127.0.0.1"
    host = f"[{address}]" if ":" in address else address
    return f"https://{host}:{settings.network.mgmt_port}"
