"""A desktop portal of our own, for this process alone: the capture library's way to desktops that show themselves to
nobody else.

The library captures GNOME and KDE through xdg-desktop-portal. The real one asks the person at the machine, and knows
the monitors that are there; a stream wants a monitor that is not there yet, of the client's size, and nobody sits at
the machine. So the worker runs the parts of a portal that the library uses (`front`), on a private bus (`bus`), and has
them answered by what the desktop itself offers (a `back`: `mutter`). See docs/decisions/0042-mutter.md.
"""
