"""KWin, the compositor of KDE Plasma, as a client of its own protocols: input, and outputs that exist for a stream."""
