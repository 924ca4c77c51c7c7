"""The RTSP handshake of GameStream (gamestream.md §3)."""
