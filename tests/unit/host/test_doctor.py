import asyncio
import signal
from pathlib import Path

import pytest

from punktfunk.host.doctor import Check, Context, Status, make_context, ok, run_checks, standard_checks
from punktfunk.host.doctor.child import run_program, run_python
from punktfunk.host.doctor.machine import Encoders, judge_encoders, judge_injector, judge_memory
from punktfunk.host.doctor.software import keyboard_layout
from punktfunk.host.settings import DisplaySettings, InputSettings, Settings, VideoSettings
from punktfunk.session.shared_memory import SharedMemory

X264 = {"h264": "x264"}


def context_with(**sections) -> Context:
    return Context(Settings(**sections), {}, None)


async def results_of(*checks: Check):
    return [result async for result in run_checks(checks, context_with())]


async def good(context):
    return ok("fine")


async def slow(context):
    await asyncio.Event().wait()


async def broken(context):
    raise KeyError("x")


async def test_one_bad_check_does_not_stop_the_next():
    found = await results_of(Check("a", broken), Check("b", slow, 0.01), Check("c", good))
    assert [(result.name, result.status) for result in found] == [
        ("a", Status.FAIL),
        ("b", Status.FAIL),
        ("c", Status.OK),
    ]
    assert "KeyError" in found[0].message
    assert "no answer within 0.01 s" in found[1].message
    assert all(result.fix for result in found[:2])


def test_names_are_distinct_and_deadlines_sane():
    checks = standard_checks()
    assert len({check.name for check in checks}) == len(checks)
    assert all(0 < check.deadline_s <= 60 for check in checks)


@pytest.mark.parametrize(
    ("wanted", "hardware", "nodes", "status", "words"),
    [
        ("auto", {}, "", Status.OK, "x264: there is no graphics card"),
        ("auto", {}, "/dev/dri/renderD128", Status.WARN, "offers no encoder"),
        (
            "auto",
            {"h264": "vaapi", "hevc": "vaapi"},
            "/dev/dri/renderD128",
            Status.OK,
            "h264 with vaapi, hevc",
        ),
        ("software", {"h264": "vaapi"}, "/dev/dri/renderD128", Status.OK, "video.encoder is software"),
        ("nvenc", {"h264": "vaapi"}, "/dev/dri/renderD128", Status.FAIL, "no nvenc encoder"),
        ("nvenc", {}, "", Status.FAIL, "no nvenc encoder"),
    ],
)
def test_the_choice_of_an_encoder_in_words(wanted, hardware, nodes, status, words):
    outcome = judge_encoders(Encoders(X264, hardware), context_with(video=VideoSettings(encoder=wanted)), nodes)
    assert outcome.status is status
    assert words in outcome.message


def test_hardware_is_said_to_be_untested():
    assert "never tested" in judge_encoders(Encoders(X264, {"h264": "nvenc"}), context_with(), "x").message


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (SharedMemory("", 1 << 30), Status.OK),
        (SharedMemory("", 64 << 20), Status.WARN),
        (SharedMemory("/dev/shm: No such file or directory", 0), Status.FAIL),
    ],
)
def test_shared_memory_in_words(found, status):
    outcome = judge_memory(found)
    assert outcome.status is status
    assert found.obstacle in outcome.message
    assert ("--shm-size" in outcome.fix) == (status is not Status.OK)


async def test_a_crash_in_a_child_is_told():
    child = await run_python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert child.status == -signal.SIGSEGV
    assert child.last_error == "ended by signal SIGSEGV"


async def test_a_cancelled_child_dies_with_what_it_started(tmp_path):
    marker = tmp_path / "pid"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await run_program(["sh", "-c", f"sleep 600 & echo $! > {marker}; wait"])
    pid = int(marker.read_text())
    for _ in range(200):
        if not is_running(pid):
            return
        await asyncio.sleep(0.01)
    pytest.fail("the grandchild lives")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_wrong_settings_are_kept_for_their_check(tmp_path):
    file = tmp_path / "host.toml"
    file.write_text("[log]\nlevel = 1\n")
    context = make_context({"HOME": str(tmp_path)}, file)
    assert context.mistakes.startswith(f"{file}:2: log.level")
    assert context.settings == Settings()


@pytest.mark.parametrize(
    ("touch", "uinput", "status", "words"),
    [
        ("pointer", "does not exist", Status.OK, "drive the pointer (input.touch)"),
        ("kernel", "", Status.OK, "become a touchscreen and a tablet"),
        ("kernel", "may not be opened by you", Status.WARN, "because /dev/uinput may not be opened by you"),
    ],
)
def test_how_input_gets_into_a_session(touch, uinput, status, words):
    outcome = judge_injector(context_with(input=InputSettings(touch=touch)), uinput)
    assert outcome.status is status
    assert words in outcome.message
    assert bool(outcome.fix) == (status is Status.WARN)


def test_the_test_pattern_takes_no_input():
    assert judge_injector(context_with(display=DisplaySettings(kind="synthetic")), "").status is Status.SKIP


@pytest.mark.parametrize(
    ("layout", "options", "status", "words"),
    [
        ("de(nodeadkeys)", "", Status.OK, "a de(nodeadkeys) keyboard"),
        ("us,ru", "grp:alt_shift_toggle", Status.OK, "options grp:alt_shift_toggle"),
        ("zz", "", Status.FAIL, "no keyboard layout zz; sessions get a US keyboard"),
    ],
)
async def test_the_keyboard_layout_is_one_that_this_machine_has(layout, options, status, words):
    outcome = await keyboard_layout(
        context_with(display=DisplaySettings(keyboard_layout=layout, keyboard_options=options))
    )
    assert outcome.status is status
    assert words in outcome.message
