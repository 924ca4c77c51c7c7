"""Checks of the machine: who encodes, and which input devices can be made."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from punktfunk.host.doctor.check import Check, Context, Outcome, fail, ok, skip, warn
from punktfunk.host.doctor.child import run_python
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.session.shared_memory import SharedMemory, shared_memory

_PROBE_ENCODERS = """
import json, pixelflux
print(json.dumps({"software": pixelflux.SOFTWARE_ENCODERS, "hardware": pixelflux.hardware_encoders()}))
"""


class Encoders(msgspec.Struct, frozen=True):
    """Codec name to encoder name."""

    software: dict[str, str]
    hardware: dict[str, str]


async def encoder(context: Context) -> Outcome:
    """Which encoder a session would get, and why."""
    child = await run_python(_PROBE_ENCODERS)
    if child.status != 0:
        return fail(f"asking for encoders failed: {child.last_error}", "check the driver; see docs/troubleshoot.md")
    return judge_encoders(msgspec.json.decode(child.output.splitlines()[-1], type=Encoders), context, _render_nodes())


def judge_encoders(found: Encoders, context: Context, nodes: str) -> Outcome:
    """What a session would get with these encoders and render nodes, in words."""
    wanted = context.settings.video.encoder
    software = f"the processor encodes H.264 with {found.software.get('h264', 'nothing')}"
    if wanted == "software":
        return ok(f"{software} (video.encoder is software)")
    fitting = {codec: name for codec, name in found.hardware.items() if wanted in ("auto", name)}
    if fitting:
        words = ", ".join(f"{codec} with {name}" for codec, name in sorted(fitting.items()))
        return ok(f"the graphics card encodes {words} ({nodes}); this version was never tested with one")
    if wanted != "auto":
        return fail(
            f"no {wanted} encoder was found, but video.encoder asks for it", "set it to auto, or check the driver"
        )
    if not nodes:
        return ok(f"{software}: there is no graphics card (no render node in /dev/dri)")
    fix = "install the card's VA-API driver, or NVIDIA's libnvidia-encode, and see that you may open /dev/dri"
    return warn(f"{software}: the graphics card ({nodes}) offers no encoder", fix)


def _render_nodes() -> str:
    return ", ".join(sorted(str(node) for node in Path("/dev/dri").glob("renderD*")))


async def devices(context: Context) -> Outcome:
    """Kernel input devices can be made: gamepads need them, keyboard and mouse of the embedded desktop do not."""
    states = {name: _state(Path("/dev", name)) for name in ("uinput", "uhid")}
    bad = {name: state for name, state in states.items() if state}
    if not bad:
        return ok("/dev/uinput and /dev/uhid can be opened")
    words = ", ".join(f"/dev/{name} {state}" for name, state in bad.items())
    fix = "sudo modprobe -a uinput uhid; for access without root: sudo punktfunk-host setup input"
    return warn(f"gamepads will not work: {words}; keyboard, mouse and touch do", fix)


async def injector(context: Context) -> Outcome:
    """How keys, mouse, fingers and pens get into a session, and what the settings ask for beyond it."""
    return judge_injector(context, _state(Path(Node.UINPUT.value)))


def judge_injector(context: Context, uinput: str) -> Outcome:
    """The way in with this state of /dev/uinput ("" is fine), in words."""
    if context.settings.display.kind == "synthetic":
        return skip("the synthetic display takes no keys, mouse or touch")
    way = "keys and mouse go through the desktop's virtual devices, text through spare keys"
    if context.settings.display.kind == "x11":
        way = "keys, mouse and whole notches of the wheel go through XTEST, text through spare keycodes"
    if context.settings.display.kind == "mutter":
        way = "keys and mouse go through GNOME's remote desktop, text as far as its layout has keys"
    if context.settings.display.kind == "kwin" and context.settings.input.touch == "pointer":
        return ok("keys, mouse and fingers go through KWin's fake input, text by the keys of its layout; pens point")
    if context.settings.input.touch == "pointer":
        return ok(f"{way}; fingers and pens drive the pointer (input.touch)")
    if uinput:
        fix = "sudo punktfunk-host setup input, or set input.touch to pointer"
        return warn(f"{way}; fingers and pens drive the pointer, because {Node.UINPUT.value} {uinput}", fix)
    return ok(f"{way}; fingers and pens become a touchscreen and a tablet of this machine (input.touch)")


def _state(path: Path) -> str:
    if not path.exists():
        return "does not exist"
    return "" if os.access(path, os.R_OK | os.W_OK) else "may not be opened by you"


async def memory(context: Context) -> Outcome:
    """There is shared memory for the pictures of desktops."""
    return judge_memory(shared_memory(os.geteuid()))


def judge_memory(found: SharedMemory) -> Outcome:
    """What that much of it is good for, in words."""
    fix = "in a container, give it more: --shm-size=1g (Docker, Podman), or mount a tmpfs on /dev/shm"
    if found.obstacle:
        return fail(f"no shared memory: {found.obstacle}; sessions get programs without a desktop around them", fix)
    words = f"{found.free_bytes >> 20} MiB of shared memory"
    return warn(f"only {words}: too little for desktops of 3840x2160", fix) if found.is_small else ok(words)


CHECKS = (
    Check("encoder", encoder, 30.0),
    Check("memory", memory),
    Check("devices", devices),
    Check("injector", injector),
)
