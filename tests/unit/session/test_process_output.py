from __future__ import annotations

from punktfunk.session.process_output import MAX_LINE_BURST, MAX_LINE_BYTES, MAX_LINES_PER_SECOND, OutputLines


def test_lines_are_joined_across_reads() -> None:
    lines = OutputLines()
    assert lines.feed(b"one\ntw", 0) == ["one"]
    assert lines.feed(b"o\n\n  \nthree", 0) == ["two"]
    assert lines.flush() == ["three"]
    assert lines.flush() == []


def test_long_line_is_cut_and_takes_no_memory() -> None:
    lines = OutputLines()
    for _ in range(1000):
        assert lines.feed(b"x" * 8192, 0) == []
        assert len(lines._partial) <= MAX_LINE_BYTES + 1
    assert lines.feed(b"\nnext\n", 0) == ["x" * MAX_LINE_BYTES + "…", "next"]


def test_control_characters_cannot_forge_log_lines() -> None:
    assert OutputLines().feed(b"a\rb\x1b[2Jc\xff\n", 0) == ["a\\x0db\\x1b[2Jc\ufffd"]


def test_rate_is_bounded_and_recovers() -> None:
    lines = OutputLines()
    assert len(lines.feed(b"x\n" * 10_000, 0)) == MAX_LINE_BURST
    assert lines.suppressed == 10_000 - MAX_LINE_BURST
    assert len(lines.feed(b"x\n" * 10_000, 1)) == MAX_LINES_PER_SECOND


def test_clock_going_backwards_is_harmless() -> None:
    lines = OutputLines()
    lines.feed(b"x\n" * MAX_LINE_BURST, 100)
    assert lines.feed(b"x\n", 0) == []
