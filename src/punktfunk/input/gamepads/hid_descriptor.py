"""Report descriptors built from words (Device Class Definition for HID 1.11, §6.2.2)."""

from __future__ import annotations

from enum import IntEnum

VENDOR_PAGE = 0xFF00


class Page(IntEnum):
    """Usage pages."""

    DESKTOP = 0x01
    BUTTON = 0x09


class Usage(IntEnum):
    """Usages of the desktop page."""

    JOYSTICK = 0x04
    GAME_PAD = 0x05
    POINTER = 0x01
    X = 0x30
    Y = 0x31
    Z = 0x32
    RX = 0x33
    RY = 0x34
    RZ = 0x35
    HAT = 0x39


class _Main(IntEnum):
    INPUT = 0x80
    OUTPUT = 0x90
    FEATURE = 0xB0
    COLLECTION = 0xA0
    END_COLLECTION = 0xC0


CONSTANT, VARIABLE, NULL_STATE, VOLATILE = 0x01, 0x02, 0x40, 0x80


def item(tag: int, value: int, size: int | None = None) -> bytes:
    """One short item: its tag with the size in the low two bits, then 0, 1, 2 or 4 bytes of value."""
    if size is None:
        size = 1 if value < 0x100 else 2 if value < 0x10000 else 4
    return bytes([tag | {0: 0, 1: 1, 2: 2, 4: 3}[size]]) + value.to_bytes(size, "little")


def usage_page(page: int) -> bytes:
    """Global item: which table the usages are from."""
    return item(0x04, page, 1 if page < 0x100 else 2)


def usages(*numbers: int) -> bytes:
    """Local items: what the next fields mean."""
    return b"".join(item(0x08, number, 1) for number in numbers)


def usage_range(first: int, last: int) -> bytes:
    """Local items: numbered usages, for buttons."""
    return item(0x18, first, 1) + item(0x28, last, 1)


def logical(minimum: int, maximum: int) -> bytes:
    """Global items: range of the values. One byte would read as signed from 128 up, so those take two."""
    wide = 1 if maximum < 0x80 else 2 if maximum < 0x8000 else 4
    return item(0x14, minimum, 1) + item(0x24, maximum, wide)


def report_id(number: int) -> bytes:
    """Global item: the fields that follow belong to this report."""
    return item(0x84, number, 1)


def fields(count: int, bits: int) -> bytes:
    """Global items: so many fields of so many bits."""
    return item(0x74, bits, 1) + item(0x94, count, 1)


def inputs(flags: int = VARIABLE) -> bytes:
    """Main item: the device sends them."""
    return item(_Main.INPUT, flags, 1)


def outputs(flags: int = VARIABLE) -> bytes:
    """Main item: the host sends them."""
    return item(_Main.OUTPUT, flags, 1)


def features(flags: int = VARIABLE) -> bytes:
    """Main item: the host reads and writes them."""
    return item(_Main.FEATURE, flags, 1)


def collection(*content: bytes, kind: int = 1) -> bytes:
    """Main items around others; ``kind`` 1 is an application, 0 a physical group."""
    return item(_Main.COLLECTION, kind, 1) + b"".join(content) + item(_Main.END_COLLECTION, 0, 0)


def hat() -> bytes:
    """A direction pad of eight directions, 0 up and clockwise; 8 is none."""
    physical = item(0x34, 0, 1) + item(0x44, 315, 2)
    degrees = item(0x64, 0x14, 1)
    return usages(Usage.HAT) + logical(0, 7) + physical + degrees + fields(1, 4) + inputs(VARIABLE | NULL_STATE)


def no_unit() -> bytes:
    """Global item: end of the degrees that `hat` began."""
    return item(0x64, 0, 1)


def byte_features(reports: tuple[tuple[int, int, int], ...]) -> bytes:
    """Feature reports of bytes: ``(report id, usage, size without the id)`` each."""
    return b"".join(
        report_id(number) + usages(usage) + item(0x94, size, 1) + features() for number, usage, size in reports
    )
