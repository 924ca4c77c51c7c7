"""As much of the X11 protocol as streaming a running desktop needs; why it is our own: docs/decisions/0040-x11.md."""
