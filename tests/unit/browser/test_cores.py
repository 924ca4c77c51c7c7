"""Tickets, links, rights, the frame gate and the parts of the link."""

from __future__ import annotations

from pathlib import Path

import pytest

from punktfunk.browser import wire as w
from punktfunk.browser.flow import AGE_LIMIT_S, BUDGET_BURST, FrameGate, MessageBudget, Verdict
from punktfunk.browser.input_events import PageInput
from punktfunk.browser.link_file import read_links, write_links
from punktfunk.browser.reports import MAX_FRAME_BYTES, PART_BYTES, Assembler, VideoReport, video_parts
from punktfunk.browser.tickets import (
    MAX_LINKS,
    MAX_TICKETS,
    TICKET_LIFETIME_S,
    Admission,
    PlayRefused,
    ShareLinks,
    Tickets,
)
from punktfunk.input.events import KeyChanged, PointerPlaced, TextTyped
from punktfunk.trust.devices import Grants

ME = Admission("console:1", "Browser", Grants.ALL)


def test_a_ticket_opens_once_and_soon():
    tickets = Tickets()
    used, late = tickets.issue(ME, 0.0), tickets.issue(ME, 0.0)
    assert tickets.redeem(used, 1.0) == ME
    assert tickets.redeem(used, 1.0) is None
    assert tickets.redeem(late, TICKET_LIFETIME_S) is None


def test_tickets_and_links_are_bounded():
    tickets, links = Tickets(), ShareLinks()
    for _ in range(3 * MAX_TICKETS):
        tickets.issue(ME, 0.0)
    assert len(tickets) == MAX_TICKETS
    for _ in range(MAX_LINKS):
        links.create("x", Grants.NONE, 0, 60, 0.0)
    with pytest.raises(PlayRefused):
        links.create("x", Grants.NONE, 0, 60, 0.0)


def test_a_link_ends_by_time_and_by_removal():
    links = ShareLinks()
    link, secret = links.create("x", Grants.NONE, 0, 60, 0.0)
    assert links.find(secret, 59.0) == link
    assert links.find(secret, 60.0) is None
    link, _ = links.create("y", Grants.NONE, 0, 60, 0.0)
    assert links.remove(link.id)
    assert not links.good(link.id, 1.0)


def test_rights_decide_and_late_positions_do_nothing():
    looker, player = PageInput(Grants.NONE), PageInput(Grants.KEYBOARD | Grants.POINTER)
    assert looker.event(w.Key(30, True, 0)) is None
    assert player.event(w.Key(30, True, 0)) == KeyChanged(30, True)
    assert player.event(w.Key(9999, True, 0)) is None
    assert player.event(w.Place(5, 65535, 0)) == PointerPlaced(1.0, 0.0)
    assert player.event(w.Place(4, 0, 0)) is None
    assert player.event(w.PadPlugged(0, 3)) is None


def test_emoji_of_several_code_points_keep_their_invisible_ones():
    player = PageInput(Grants.KEYBOARD)
    assert player.event(w.Text("👩\u200d👧\x1b\n")) == TextTyped("👩\u200d👧\n")
    assert player.event(w.Text("\x07")) is None


def test_a_backlog_drops_until_a_keyframe_that_is_asked_for_once():
    gate = FrameGate(10_000)
    assert gate.frame(0, keyframe=True) is Verdict.SEND
    assert gate.frame(gate.limit_bytes + 1, keyframe=False) is Verdict.DROP
    assert gate.frame(0, keyframe=False) is Verdict.DROP_AND_ASK
    assert gate.frame(0, keyframe=False) is Verdict.DROP
    assert gate.frame(0, keyframe=True) is Verdict.SEND


def test_a_large_frame_crosses_the_link_in_parts_and_an_endless_one_does_not():
    message, assembler = bytes(3 * PART_BYTES + 7), Assembler()
    *first, last = [assembler.add(part) for part in video_parts(message, keyframe=True)]
    assert first == [None] * 3
    assert last == VideoReport(message, True)
    part = next(iter(video_parts(bytes(2 * PART_BYTES), keyframe=False)))
    for _ in range(MAX_FRAME_BYTES // PART_BYTES + 1):
        assembler.add(part)
    with pytest.raises(ValueError, match="without an end"):
        assembler.add(part)


def test_links_outlive_the_host_without_their_secrets(tmp_path: Path):
    path = tmp_path / "links.json"
    links = ShareLinks(keep=lambda kept: write_links(path, kept))
    _, secret = links.create("Guest", Grants.POINTER, 7, 60, 0.0)
    gone, _ = links.create("Gone", Grants.NONE, 0, 60, 0.0)
    links.remove(gone.id)

    (found,) = ShareLinks(read_links(path)).all(1.0)
    assert (found.name, found.grants, found.app_id) == ("Guest", Grants.POINTER, 7)
    assert ShareLinks(read_links(path)).find(secret, 1.0) == found
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"id": 1}]', bytes(1 << 20), b"\xff"])
def test_a_damaged_file_of_links_holds_none(tmp_path: Path, content: bytes):
    path = tmp_path / "links.json"
    path.write_bytes(content)
    assert read_links(path) == ()


def test_a_link_that_cannot_be_stored_is_refused(tmp_path: Path):
    blocked = tmp_path / "file" / "links.json"
    blocked.parent.write_text("")
    links = ShareLinks(keep=lambda kept: write_links(blocked, kept))
    with pytest.raises(PlayRefused):
        links.create("x", Grants.NONE, 0, 60, 0.0)
    assert links.all(0.0) == ()


def test_a_page_may_send_at_the_pace_of_a_fast_mouse_and_not_more():
    budget = MessageBudget(0.0)
    assert all(budget.spend(i / 1500) for i in range(20_000))
    flooded = MessageBudget(0.0)
    assert sum(flooded.spend(0.0) for _ in range(3 * BUDGET_BURST)) == BUDGET_BURST


def test_few_bytes_that_wait_for_long_are_a_backlog_too():
    gate = FrameGate(10_000)
    assert gate.frame(0, keyframe=True) is Verdict.SEND
    assert gate.frame(100, AGE_LIMIT_S + 0.01, keyframe=False) is Verdict.DROP
    assert gate.frame(0, keyframe=False) is Verdict.DROP_AND_ASK


def test_nothing_is_sent_to_a_hidden_page_and_a_keyframe_comes_first_afterwards():
    gate = FrameGate(10_000)
    assert gate.frame(0, keyframe=True) is Verdict.SEND
    gate.paused = True
    assert gate.frame(0, keyframe=True) is Verdict.DROP
    gate.paused = False
    assert gate.frame(0, keyframe=False) is Verdict.DROP_AND_ASK
    assert gate.frame(0, keyframe=True) is Verdict.SEND
