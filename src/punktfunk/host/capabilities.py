"""What the encoders of this machine can offer to clients, and why it is that."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from punktfunk.gamestream.serverinfo import CodecSupport
from punktfunk.host.settings import VideoSettings

log = logging.getLogger(__name__)

PROBE_DEADLINE_S = 10.0
_PROBE = "import json, pixelflux; print(json.dumps(pixelflux.hardware_encoders()))"
_HARDWARE = {"h264": CodecSupport.H264, "h265": CodecSupport.HEVC, "av1": CodecSupport.AV1}
_SETTING = {
    "h264": CodecSupport.H264 | CodecSupport.H264_444,
    "hevc": CodecSupport.HEVC,
    "av1": CodecSupport.AV1,
}


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """``codecs`` are offered to clients; ``reference_invalidation`` only where the encoder really does it."""

    encoder: str
    why: str
    codecs: CodecSupport
    reference_invalidation: bool


async def find_video_facts(display_kind: str, settings: VideoSettings) -> VideoFacts:
    """Look for encoders. Only machines with a render node pay for asking the driver, in a process of its own."""
    if display_kind == "synthetic":
        return VideoFacts("FFmpeg", "the test pattern is encoded in software", _offered(_SOFTWARE, settings), False)
    hardware = {} if settings.encoder == "software" or not _has_render_node() else await _ask_driver()
    if settings.encoder in ("nvenc", "vaapi"):
        hardware = {codec: name for codec, name in hardware.items() if name.lower() == settings.encoder}
    return judge(hardware, settings, _has_render_node())


_SOFTWARE = CodecSupport.H264 | CodecSupport.H264_444


def judge(hardware: dict[str, str], settings: VideoSettings, has_render_node: bool) -> VideoFacts:
    """The facts for these hardware encoders (codec → name)."""
    if hardware:
        found = CodecSupport(0)
        for codec in hardware:
            found |= _HARDWARE.get(codec, CodecSupport(0))
        name = next(iter(hardware.values()))
        why = f"the graphics card encodes {', '.join(sorted(hardware))}"
        return VideoFacts(name, why, _offered(found | CodecSupport.H264, settings), False)
    if settings.encoder == "software":
        why = "video.encoder asks for it"
    elif has_render_node:
        why = "the graphics card offers no encoder"
    else:
        why = "there is no graphics card"
    return VideoFacts("x264", why, _offered(_SOFTWARE, settings), True)


def _offered(found: CodecSupport, settings: VideoSettings) -> CodecSupport:
    """Without a wish, what keeps up in real time; a wish names codecs, and software encodes them at any cost."""
    if not settings.codecs:
        return found
    wished = CodecSupport.H264
    for codec in settings.codecs:
        wished |= _SETTING[codec]
    return wished


def _has_render_node() -> bool:
    return any(Path("/dev/dri").glob("renderD*"))


async def _ask_driver() -> dict[str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROBE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PROBE_DEADLINE_S):
            output, _ = await process.communicate()
        return {str(codec): str(name) for codec, name in json.loads(output.splitlines()[-1]).items()}
    except (TimeoutError, ValueError, IndexError):
        log.warning("the graphics driver did not say what it encodes; encoding in software")
        return {}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
