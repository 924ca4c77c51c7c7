"""Pads as devices: each owns one file descriptor of /dev/uhid or /dev/uinput. Not safe to share between threads."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from punktfunk.input import uhid, uinput
from punktfunk.input.events import Feedback, Rumbled
from punktfunk.input.gamepads.force_feedback import FF_GAIN, MalformedEffect, Mixer, parse_effect
from punktfunk.input.gamepads.hid_model import HidModel, MalformedReport, Reaction
from punktfunk.input.gamepads.inputs import PadInputs
from punktfunk.input.gamepads.xbox import XboxPad

MAX_WAITING_STATES = 8
"""Button changes that wait for a slow pad's next report; beyond it the newest takes the place of the last."""
MAX_MESSAGES_PER_READ = 32


class VirtualPad(Protocol):
    """One plugged-in pad. Every method but `close` may raise OSError when the device is gone."""

    def fileno(self) -> int:
        """Readable when a game has something to tell."""
        ...

    def send(self, inputs: PadInputs, now: float) -> None:
        """Show this state to games."""
        ...

    def read(self, now: float) -> list[Feedback]:
        """What games told, as far as it can be read without waiting."""
        ...

    def due(self) -> float | None:
        """When `tick` has something to do; None for never."""
        ...

    def tick(self, now: float) -> list[Feedback]:
        """Do what time asks for."""
        ...

    def close(self) -> None:
        """Unplug the pad and close the descriptor. May take seconds while a driver is still starting."""
        ...


class UinputPad:
    """An Xbox pad on an open /dev/uinput; takes over the descriptor."""

    def __init__(self, fd: int, pad: int, model: XboxPad, phys: str) -> None:
        self._fd = fd
        self._pad = pad
        self._model = model
        self._mixer = Mixer()
        self._levels = (0, 0)
        os.set_blocking(fd, False)
        uinput.create(fd, replace(model.description, phys=phys))

    def fileno(self) -> int:
        return self._fd

    def send(self, inputs: PadInputs, now: float) -> None:
        os.write(self._fd, uinput.encode_events(self._model.events(inputs)))

    def read(self, now: float) -> list[Feedback]:
        for event in uinput.read_events(self._fd):
            if event.type == uinput.EV_UINPUT and event.code == uinput.UI_FF_UPLOAD:
                self._upload(event.value, now)
            elif event.type == uinput.EV_UINPUT and event.code == uinput.UI_FF_ERASE:
                self._mixer.erase(uinput.erase(self._fd, event.value))
            elif event.type == uinput.EV_FF and event.code == FF_GAIN:
                self._mixer.set_gain(event.value)
            elif event.type == uinput.EV_FF:
                self._mixer.play(event.code, event.value, now)
        return self.tick(now)

    def due(self) -> float | None:
        return self._mixer.changes_at()

    def tick(self, now: float) -> list[Feedback]:
        levels = self._mixer.levels(now)
        if levels == self._levels:
            return []
        self._levels = levels
        return [Rumbled(self._pad, *levels)]

    def close(self) -> None:
        os.close(self._fd)

    def _upload(self, request: int, now: float) -> None:
        data = uinput.begin_upload(self._fd, request)
        try:
            self._mixer.upload(parse_effect(data), now)
        except MalformedEffect:
            uinput.end_upload(self._fd, request, errno.EINVAL)
        else:
            uinput.end_upload(self._fd, request)


class UhidPad:
    """A HID pad on an open /dev/uhid; takes over the descriptor.

    Pads whose driver counts the time between reports get them evenly: button changes wait in a short queue, sticks
    and motion are the newest.
    """

    def __init__(self, fd: int, model: HidModel, now: float) -> None:
        self._fd = fd
        self._model = model
        self._newest = PadInputs()
        self._waiting: deque[PadInputs] = deque()
        self._sent_at = now
        self._dropped_reports = 0
        os.set_blocking(fd, False)
        os.write(fd, uhid.create(model.identity))

    @property
    def dropped_reports(self) -> int:
        """Reports from games or drivers that made no sense."""
        return self._dropped_reports

    def fileno(self) -> int:
        return self._fd

    def send(self, inputs: PadInputs, now: float) -> None:
        waiting = self._waiting
        self._newest = inputs
        if not waiting and now - self._sent_at >= self._model.shortest_interval_s:
            self._write_report(inputs, now)
        elif waiting and (waiting[-1].edges() == inputs.edges() or len(waiting) == MAX_WAITING_STATES):
            waiting[-1] = inputs
        else:
            waiting.append(inputs)

    def read(self, now: float) -> list[Feedback]:
        feedback: list[Feedback] = []
        for _ in range(MAX_MESSAGES_PER_READ):
            try:
                message = os.read(self._fd, uhid.READ_BYTES)
            except BlockingIOError:
                break
            try:
                feedback += self._handle(uhid.parse(message))
            except (MalformedReport, uhid.UhidError):
                self._dropped_reports += 1
        return feedback

    def due(self) -> float | None:
        model = self._model
        return self._sent_at + (model.shortest_interval_s if self._waiting else model.refresh_interval_s)

    def tick(self, now: float) -> list[Feedback]:
        due = self.due()
        if due is not None and now >= due:
            self._write_report(self._waiting.popleft() if self._waiting else self._newest, now)
        return []

    def close(self) -> None:
        try:
            os.write(self._fd, uhid.destroy())
        finally:
            os.close(self._fd)

    def _handle(self, event: uhid.UhidEvent) -> tuple[Feedback, ...]:
        match event:
            case uhid.Output(uhid.ReportType.OUTPUT, data):
                return self._react(self._model.output_report, data)
            case uhid.Output(_, data):
                return self._react(self._model.set_feature, data)
            case uhid.GetReport(request, report_id, kind):
                data_out = self._model.get_feature(report_id) if kind is uhid.ReportType.FEATURE else None
                os.write(self._fd, uhid.get_report_reply(request, data_out))
            case uhid.SetReport(request, _, kind, data):
                # Acknowledged first: a driver waits for it, and a report that makes no sense is dropped either way.
                os.write(self._fd, uhid.set_report_reply(request))
                is_output = kind is uhid.ReportType.OUTPUT
                return self._react(self._model.output_report if is_output else self._model.set_feature, data)
        return ()

    def _react(self, handler: Callable[[bytes], Reaction], data: bytes) -> tuple[Feedback, ...]:
        reaction = handler(data)
        for reply in reaction.replies:
            os.write(self._fd, uhid.input_report(reply))
        return reaction.feedback

    def _write_report(self, inputs: PadInputs, now: float) -> None:
        self._sent_at = now
        report = self._model.input_report(inputs, now)
        if report is not None:
            os.write(self._fd, uhid.input_report(report))
