"""Virtual gamepads: one file per kind of pad, pure functions between `PadInputs` and the kernel's bytes."""
