"""Why a conformance client gave up."""


class ClientError(Exception):
    """The host did something a client cannot go on from."""


class HttpFailed(ClientError):
    """The answer was not HTTP, not XML, or carried a ``status_code`` other than 200."""

    def __init__(self, path: str, status: int, message: str) -> None:
        super().__init__(f"{path}: {status} {message}")
        self.path, self.status, self.message = path, status, message


class PairingFailed(ClientError):
    """Pairing stopped in ``phase`` (1 to 5, gamestream.md §2.5.3)."""

    def __init__(self, phase: int, why: str) -> None:
        super().__init__(f"pairing phase {phase}: {why}")
        self.phase, self.why = phase, why


class RtspFailed(ClientError):
    """An RTSP step was refused (``status`` as received) or its answer was unusable (``status`` 0)."""

    def __init__(self, step: str, status: int, why: str) -> None:
        super().__init__(f"RTSP {step}: {status} {why}")
        self.step, self.status, self.why = step, status, why


class StreamFailed(ClientError):
    """A stream could not be started, or ended with one of the client library's codes (gamestream.md §8.4)."""

    def __init__(self, why: str, code: int = -1) -> None:
        super().__init__(f"{why} ({code})")
        self.why, self.code = why, code
