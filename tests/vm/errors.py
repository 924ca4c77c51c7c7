"""Why a virtual machine could not be had."""


class VmUnavailable(Exception):
    """One sentence that says what is missing and how to get it; tests are skipped with it."""


class VmFailed(Exception):
    """The machine started but did not finish; carries the end of its console."""
