"""punktfunk-host: streams a desktop of its own to every Moonlight and punktfunk client that connects."""

__version__ = "0.1.0"
