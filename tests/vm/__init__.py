"""Runs tests in a small virtual machine with Debian's stock kernel: real input drivers, nothing installed.

    python -m tests.vm run tests/vm/guest/test_harness.py     by hand
    pytest -m vm                                               with the rest of the suite

The guest sees the machine's own file system read-only, so it runs this checkout with its virtual environment.
"""
