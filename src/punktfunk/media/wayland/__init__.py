"""Wayland on the wire: what is spoken with desktops that run already."""
