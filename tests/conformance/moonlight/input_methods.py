"""Input as a test wants to write it: methods of a stream."""

from abc import ABC, abstractmethod

from . import inputs
from .inputs import InputPacket, Modifier


class InputMethods(ABC):
    """Mixed into a stream. Every method returns at once; order is kept per ENet channel."""

    @abstractmethod
    def send_input(self, packet: InputPacket) -> None:
        """Send one packet as the control message 0x0206."""

    def send_key(self, virtual_key: int, down: bool, modifiers: int = Modifier.NONE, flags: int = 0) -> None:
        self.send_input(inputs.key(virtual_key, down, modifiers, flags))

    def type_text(self, text: str) -> None:
        """Press and release the keys for ASCII letters, digits and blanks, with shift where needed."""
        for char in text:
            code = ord(char.upper())
            if not (char == " " or (char.isascii() and char.isalnum())):
                raise ValueError(f"no plain key types {char!r}; use utf8_text")
            held = Modifier.SHIFT if char.isupper() else Modifier.NONE
            if held:
                self.send_key(0xA0, True, held)
            self.send_key(code, True, held)
            self.send_key(code, False, held)
            if held:
                self.send_key(0xA0, False)

    def utf8_text(self, text: str) -> None:
        """One packet per code point, as current clients send it."""
        for char in text:
            self.send_input(inputs.utf8_text(char))

    def mouse_move(self, dx: int, dy: int) -> None:
        self.send_input(inputs.mouse_move(dx, dy))

    def mouse_position(self, x: int, y: int, width: int, height: int) -> None:
        self.send_input(inputs.mouse_position(x, y, width, height))

    def mouse_button(self, button: int, down: bool) -> None:
        self.send_input(inputs.mouse_button(button, down))

    def scroll(self, amount: int) -> None:
        self.send_input(inputs.scroll(amount))

    def hscroll(self, amount: int) -> None:
        self.send_input(inputs.hscroll(amount))

    def touch(
        self,
        event: int,
        pointer: int,
        x: float,
        y: float,
        pressure: float = 0.0,
        contact: tuple[float, float] = (0.0, 0.0),
        rotation: int = inputs.UNKNOWN_ROTATION,
    ) -> None:
        self.send_input(inputs.touch(event, pointer, x, y, pressure, contact, rotation))

    def pen(
        self,
        event: int,
        x: float,
        y: float,
        pressure: float = 0.0,
        *,
        tool: int = 1,
        buttons: int = 0,
        rotation: int = inputs.UNKNOWN_ROTATION,
        tilt: int = inputs.UNKNOWN_TILT,
        buttons_changed: bool = False,
    ) -> None:
        self.send_input(
            inputs.pen(
                event,
                x,
                y,
                pressure,
                tool=tool,
                buttons=buttons,
                rotation=rotation,
                tilt=tilt,
                buttons_changed=buttons_changed,
            )
        )

    def controller_arrival(self, number: int, kind: int = 1, capabilities: int = 0x3, buttons: int = 0xFFFF) -> None:
        """Announce a pad and, like stock clients, follow up with its first state. One pad at a time."""
        self.send_input(inputs.controller_arrival(number, kind, capabilities, buttons))
        self.controller_state(number, 1 << number)

    def controller_state(
        self,
        number: int,
        active_mask: int,
        buttons: int = 0,
        left_trigger: int = 0,
        right_trigger: int = 0,
        left_stick: tuple[int, int] = (0, 0),
        right_stick: tuple[int, int] = (0, 0),
    ) -> None:
        """``active_mask`` without the pad's own bit means that it was unplugged."""
        self.send_input(
            inputs.controller_state(number, active_mask, buttons, left_trigger, right_trigger, left_stick, right_stick)
        )

    def controller_touch(
        self, number: int, event: int, pointer: int, x: float, y: float, pressure: float = 0.0, touchpad: int = 0
    ) -> None:
        self.send_input(inputs.controller_touch(number, event, pointer, x, y, pressure, touchpad))

    def controller_motion(self, number: int, sensor: int, x: float, y: float, z: float) -> None:
        self.send_input(inputs.controller_motion(number, sensor, x, y, z))

    def controller_battery(self, number: int, state: int, percentage: int) -> None:
        self.send_input(inputs.controller_battery(number, state, percentage))
