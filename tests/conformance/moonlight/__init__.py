"""An independent Moonlight client that pairs, streams and judges (gamestream.md §10)."""

from .client import LaunchReply, MoonlightClient
from .depacketiser import Frame, FrameType
from .errors import ClientError, HttpFailed, PairingFailed, RtspFailed, StreamFailed
from .handshake import Launch
from .identity import Identity
from .impair import Impairment
from .options import Codec, CodecSupport, Encryption, StreamOptions
from .server_info import App, ServerInfo, find_app
from .statistics import Statistics
from .stream import Stream
from .violations import Violation, Violations

__all__ = [
    "App",
    "ClientError",
    "Codec",
    "CodecSupport",
    "Encryption",
    "Frame",
    "FrameType",
    "HttpFailed",
    "Identity",
    "Impairment",
    "Launch",
    "LaunchReply",
    "MoonlightClient",
    "PairingFailed",
    "RtspFailed",
    "ServerInfo",
    "Statistics",
    "Stream",
    "StreamFailed",
    "StreamOptions",
    "Violation",
    "Violations",
    "find_app",
]
