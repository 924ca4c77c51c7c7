"""Events, logs, audit, recordings, metrics, statistics: bounds and forms."""

import asyncio
import logging

import pytest
from tests.unit.mgmt.fake_host import FakeHost, a_session

from punktfunk.mgmt import audit, events, recordings
from punktfunk.mgmt.audit import AuditEntry, AuditLog
from punktfunk.mgmt.events import EventBus, TooManyListeners, to_wire
from punktfunk.mgmt.log_ring import MAX_LINES, LogRing
from punktfunk.mgmt.metrics import Metric, to_text
from punktfunk.mgmt.recordings import Capture, CaptureMeta, Recorder, RecordingFiles, Sample
from punktfunk.mgmt.server import STALL_DEADLINE_S, Stall
from punktfunk.mgmt.statistics import Interval, sample_of
from punktfunk.mgmt.watcher import Watcher
from punktfunk.session.messages import WorkerStats
from punktfunk.session.path_report import PathReport


async def drain(listener) -> list[events.Event]:
    found = []
    while (event := await listener.next(0)) is not None:
        found.append(event)
    return found


async def test_listeners_get_the_kinds_that_they_asked_for():
    bus = EventBus(lambda: "0a0a0a0a")
    everything, some = bus.listen(), bus.listen(kinds=frozenset({"devices"}))
    bus.publish("sessions", {"n": 1})
    bus.publish("devices", {"n": 2})
    assert [e.kind for e in await drain(everything)] == ["sessions", "devices"]
    assert [e.id for e in await drain(some)] == ["0a0a0a0a-2"]
    bus.leave(some)
    assert bus.listeners == 1


async def test_who_comes_back_continues_where_it_stopped():
    bus = EventBus(lambda: "0a0a0a0a")
    for number in range(10):
        bus.publish("sessions", number)
    assert [e.data for e in await drain(bus.listen(after="0a0a0a0a-7"))] == [7, 8, 9]
    assert await drain(bus.listen(after="0a0a0a0a-10")) == []


@pytest.mark.parametrize("after", ["ffffffff-3", "0a0a0a0a-99", "0a0a0a0a-", "x", "0a0a0a0a-٣", "-1", "0a0a0a0a-0"])
async def test_who_missed_events_is_told_to_read_anew(after):
    bus = EventBus(lambda: "0a0a0a0a")
    for number in range(events.MAX_RECENT + 5):
        bus.publish("sessions", number)
    assert [e.kind for e in await drain(bus.listen(after=after))] == ["reset"]


async def test_a_flood_of_events_meets_bounded_queues():
    bus = EventBus()
    slow = bus.listen()
    for number in range(10_000):
        bus.publish("sessions", number)
        assert len(slow) <= events.MAX_QUEUED
    first = (await drain(slow))[0]
    assert first.kind == "reset"


async def test_listeners_are_bounded():
    bus = EventBus()
    for _ in range(events.MAX_LISTENERS):
        bus.listen()
    with pytest.raises(TooManyListeners):
        bus.listen()
    assert bus.full


async def test_a_waiting_listener_wakes_and_cancelling_loses_nothing():
    bus = EventBus()
    listener = bus.listen()
    waiting = asyncio.create_task(listener.next(5))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    bus.publish("sessions", 1)
    assert (await listener.next(5)).data == 1


def test_an_event_on_the_wire_is_one_event_whatever_it_says():
    event = events.Event("0a0a0a0a-1", "devices", {"name": "a\n\nevent: forged\r\ndata: x"})
    lines = to_wire(event).decode().split("\n")
    assert lines[0] == "id: 0a0a0a0a-1"
    assert lines[1] == "event: devices"
    assert len(lines) == 5
    assert "\r" not in lines[2]


def record(message: str, level: int = logging.INFO, name: str = "punktfunk.session.x") -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, message, None, None)


def test_the_log_ring_is_bounded_and_tells_of_gaps():
    ring = LogRing(lambda text: text.replace("secret", "[redacted]"))
    for number in range(MAX_LINES + 100):
        ring.emit(record(f"line {number} " + "x" * 9000 * (number == 0)))
    page = ring.page(after=5, limit=10)
    assert page.dropped
    assert page.entries[0].seq == 101
    assert page.next == page.entries[-1].seq
    newest = ring.page(after=0, limit=3)
    assert [line.msg for line in newest.entries][-1] == f"line {MAX_LINES + 99} "
    assert newest.next == ring.count
    ring.emit(record("a secret"))
    assert ring.page(after=ring.count - 1, limit=1).entries[0].msg == "a [redacted]"


def test_log_lines_are_filtered():
    ring = LogRing(str)
    ring.emit(record("one", logging.DEBUG))
    ring.emit(record("two Apples", logging.ERROR, "punktfunk.native.plane"))
    ring.emit(logging.LogRecord("punktfunk.x", logging.INFO, "", 0, "%d", ("no number",), None))
    assert [line.msg for line in ring.page(after=0, limit=9, level="error").entries] == ["two Apples"]
    assert [line.msg for line in ring.page(after=0, limit=9, text="apples").entries] == ["two Apples"]
    assert [line.msg for line in ring.page(after=0, limit=9, target="session").entries] == ["one"]
    assert ring.page(after=3, limit=9) == ring.page(after=3, limit=1)


def test_the_audit_log_is_bounded_and_rotates(tmp_path):
    log = AuditLog(tmp_path, max_file_bytes=2000)
    for number in range(300):
        log.add(AuditEntry(float(number), "x" * 999, "console", "192.0.2.1", "DELETE /x\n", 204))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["audit.jsonl", *(f"audit.jsonl.{n}" for n in range(1, audit.MAX_OLD_FILES + 1))]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    newest = log.newest(5)
    assert [entry.time_unix for entry in newest] == [299, 298, 297, 296, 295]


def test_a_full_disk_does_not_stop_the_host(tmp_path, caplog):
    (tmp_path / "file").touch()
    log = AuditLog(tmp_path / "file")
    for _ in range(3):
        log.add(AuditEntry(0.0, "", "", "", "", 0))
    assert caplog.text.count("cannot be written") == 1
    assert log.newest(5) == []


def a_sample(t_ms: int) -> Sample:
    return Sample(t_ms, "0a1b2c3d", [], 60.0, 0.0, 20.0, 20_000, 0, 0, 0, 0)


def test_recordings_are_bounded_and_damage_is_left_out(tmp_path):
    files = RecordingFiles(tmp_path)
    for number in range(recordings.MAX_RECORDINGS + 5):
        files.save(Capture(CaptureMeta(f"{number:013d}", number, 1, 1), [a_sample(number)]))
    kept = files.all()
    assert len(kept) == recordings.MAX_RECORDINGS
    assert kept[0].started_unix_ms == recordings.MAX_RECORDINGS + 4
    (tmp_path / f"{99:013d}.json").write_text("{")
    assert len(files.all()) == recordings.MAX_RECORDINGS
    assert files.read(f"{99:013d}") is None
    assert files.delete(kept[0].id)
    assert not files.delete(kept[0].id)


@pytest.mark.parametrize("ident", ["../x", "1", "1" * 12, "1" * 14, "1" * 13 + "\n", "/etc/passwd", "１" * 13])
def test_only_ids_name_recordings(tmp_path, ident):
    files = RecordingFiles(tmp_path / "recordings")
    assert files.read(ident) is None
    assert not files.delete(ident)


def test_the_recorder_stops_taking_samples():
    recorder = Recorder()
    recorder.add(a_sample(0))
    assert recorder.stop(0) is None
    assert recorder.start(1000)
    assert not recorder.start(2000)
    for number in range(recordings.MAX_SAMPLES + 10):
        recorder.add(a_sample(number))
    capture = recorder.stop(5000)
    assert capture is not None
    assert (capture.meta.duration_ms, capture.meta.sample_count) == (4000, recordings.MAX_SAMPLES)


def test_rates_are_of_the_time_in_between():
    interval = Interval()
    first = sample_of(a_session(statistics=WorkerStats(frames=600, video_bytes=10**6)), interval, 10.0, 0.0)
    assert (first.fps, first.mbps) == (0.0, 0.0)
    later = WorkerStats(frames=720, video_bytes=10**6 + 5 * 10**6, unsent_packets=3)
    path = PathReport(fec_percent=30, loss_ppm=20_000, lost_packets=7, recovered_packets=6)
    second = sample_of(a_session(statistics=later, path=path), interval, 12.0, 0.0)
    assert (second.fps, second.mbps, second.send_dropped) == (60.0, 20.0, 3)
    assert (second.packets_dropped, second.fec_recovered, second.fec_percent, second.loss_percent) == (7, 6, 30, 2.0)
    replaced = sample_of(a_session(statistics=WorkerStats(frames=60)), interval, 13.0, 0.0)
    assert (replaced.fps, replaced.packets_dropped) == (60.0, 0)


async def test_the_watcher_tells_of_changes_only():
    host, bus, recorder = FakeHost(), EventBus(), Recorder()
    watcher, listener = Watcher(host, bus, recorder), bus.listen()
    recorder.start(1)
    watcher.tick(0.0, 0.0, 5)
    watcher.tick(1.0, 1.0, 5)
    assert {event.kind for event in await drain(listener)} == {"statistics"}
    assert recorder.sample_count == 1
    host.sessions.now = []
    host.native_pairing.arm(60, "")
    watcher.tick(2.0, 2.0, 6)
    told = {event.kind: event.data for event in await drain(listener)}
    assert set(told) == {"sessions", "pairing", "logs"}
    assert told["pairing"]["armed"]
    assert "0042" not in str(told)


def test_metrics_escape_what_peers_may_have_chosen():
    metric = Metric("x", "gauge", "Help.")
    metric.add(1.5, name='a"b\\c\nd')
    assert to_text([metric, Metric("empty", "gauge", "")]) == (
        '# HELP x Help.\n# TYPE x gauge\nx{name="a\\"b\\\\c\\nd"} 1.5\n'
    )


def test_a_peer_that_takes_nothing_is_noticed():
    stall = Stall()
    assert not stall.too_long(100, 0.0)
    assert not stall.too_long(100, 1.0)
    assert not stall.too_long(50, STALL_DEADLINE_S)
    assert not stall.too_long(50, STALL_DEADLINE_S + 1)
    assert stall.too_long(60, 2 * STALL_DEADLINE_S + 1)
    assert not stall.too_long(0, 3 * STALL_DEADLINE_S)
