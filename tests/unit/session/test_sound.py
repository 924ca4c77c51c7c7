from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from punktfunk.session.identity import UserIdentity
from punktfunk.session.processes import host_mark
from punktfunk.session.sound import SessionSound, remove_stale_sinks
from punktfunk.session.sound_server import SoundError, SoundServer

USER = UserIdentity("nobody", 65534, 65534, "/nonexistent", "")


class FakeServer(SoundServer):
    """Answers pactl from a table and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(USER, Path("/run/sound"))
        self.asked: list[tuple[str, ...]] = []
        self.answers_to: dict[str, str] = {"load-module": "7\n"}
        self.failing: set[str] = set()

    async def pactl(self, *arguments: str) -> str:
        self.asked.append(arguments)
        if arguments[0] in self.failing:
            raise SoundError("scripted")
        return self.answers_to.get(arguments[-1] if "list" in arguments else arguments[0], "")

    async def restart(self) -> None:
        for listener in tuple(self._listeners):
            await listener()


def sink(session: str) -> str:
    return f"punktfunk.{host_mark(os.getpid())}.{session}"


async def test_sink_environment_and_target_agree() -> None:
    server = FakeServer()
    sound = await SessionSound.open(server, "one", 6)
    name = sink("one")
    assert sound.environment == {
        "PULSE_SERVER": "unix:/run/sound/pulse/native",
        "PIPEWIRE_REMOTE": "/run/sound/pipewire-0",
        "PULSE_SINK": name,
        "PIPEWIRE_NODE": name,
    }
    assert (sound.target.server, sound.target.source) == ("unix:/run/sound/pulse/native", f"{name}.monitor")
    assert {f"sink_name={name}", "channels=6"} <= set(server.asked[0])


@pytest.mark.parametrize(
    ("session", "channels"), [("one", 0), ("one", 4), ("one", 65_535), ("a b", 2), ("x" * 65, 2), ("a.b", 2), ("", 2)]
)
async def test_absurd_sessions_never_reach_the_server(session: str, channels: int) -> None:
    server = FakeServer()
    with pytest.raises(SoundError):
        await SessionSound.open(server, session, channels)
    assert server.asked == []


async def test_close_unloads_once_and_is_not_restored() -> None:
    server = FakeServer()
    sound = await SessionSound.open(server, "one", 2)
    await sound.close()
    await sound.close()
    await server.restart()
    assert [asked[0] for asked in server.asked] == ["load-module", "unload-module"]
    assert server.asked[1] == ("unload-module", "7")


async def test_sink_comes_back_with_the_server() -> None:
    server = FakeServer()
    await SessionSound.open(server, "one", 8)
    await server.restart()
    assert server.asked[0] == server.asked[1]


async def test_failed_sink_is_not_tried_again_at_a_restart() -> None:
    server = FakeServer()
    server.failing = {"load-module"}
    with pytest.raises(SoundError):
        await SessionSound.open(server, "one", 2)
    server.asked.clear()
    await server.restart()
    assert server.asked == []


async def test_changing_channels_takes_the_sessions_own_streams_along() -> None:
    server = FakeServer()
    sound = await SessionSound.open(server, "one", 2)
    server.answers_to["sinks"] = f"40\tvoid\tPipeWire\n41\t{sink('one')}\tPipeWire\n42\t{sink('two')}\tPipeWire\n"
    server.answers_to["sink-inputs"] = "5\t41\t9\tx\n6\t42\t9\tx\n7\t41\t9\tx\n"
    server.asked.clear()
    await sound.set_channels(2)
    assert server.asked == []
    await sound.set_channels(6)
    assert [asked for asked in server.asked if asked[0] == "move-sink-input"] == [
        ("move-sink-input", "5", sink("one")),
        ("move-sink-input", "7", sink("one")),
    ]


async def test_only_sinks_of_dead_hosts_are_stale() -> None:
    server = FakeServer()
    gone = host_mark(999_999_999).replace("-0-", "-5-")
    server.answers_to["modules"] = (
        "1\tmodule-null-sink\tsink_name=speakers\n"
        f"2\tmodule-null-sink\tsink_name={sink('mine')} rate=48000\n"
        f"3\tmodule-null-sink\tsink_name=punktfunk.{gone}.old rate=48000\n"
        "5\tmodule-null-sink\tsink_name=punktfunk.999999999-5-1.in_another_container rate=48000\n"
        "4\tmodule-always-sink\t\n"
        "junk\n"
    )
    assert await remove_stale_sinks(server) == 1
    assert server.asked[1:] == [("unload-module", "3")]


async def test_streams_that_came_back_before_the_sink_are_moved_into_it() -> None:
    server = FakeServer()
    await SessionSound.open(server, "one", 2)
    streams = [(5, sink("one")), (6, sink("other")), (7, None), (8, sink("one"))]
    listed = [{"index": index, "properties": {"target.object": target}} for index, target in streams]
    server.answers_to["sink-inputs"] = json.dumps(listed)
    await server.restart()
    moved = [arguments for arguments in server.asked if arguments[0] == "move-sink-input"]
    assert moved == [("move-sink-input", "5", sink("one")), ("move-sink-input", "8", sink("one"))]


@pytest.mark.parametrize(
    "listed", ["", "no json", "{}", "[1]", '[{"index": 1}]', '[{"properties": {"target.object": 1}}]']
)
async def test_a_list_of_streams_in_another_form_costs_nothing(listed: str) -> None:
    server = FakeServer()
    await SessionSound.open(server, "one", 2)
    server.answers_to["sink-inputs"] = listed
    await server.restart()
    assert "move-sink-input" not in {arguments[0] for arguments in server.asked}
