"""The errors a person can cause.

Each message names the thing, the value and the next step. The CLI prints the message alone and
exits with the class's code; any other exception is a fault of ours and keeps its traceback.
"""

from __future__ import annotations


class CompileError(Exception):
    """Base of every error that compile-model reports without a traceback."""

    exit_code = 1


class CheckpointError(CompileError):
    """The source cannot be read: missing, truncated, corrupt, or of an unknown kind."""

    exit_code = 3


class UnsupportedModelError(CompileError):
    """The model holds an architecture, operator, quantization or shape that cannot be compiled."""

    exit_code = 4


class BundleError(CompileError):
    """A bundle cannot be written or read: full disk, unknown format, missing or altered file."""

    exit_code = 5


class UsageError(CompileError):
    """An argument's value makes no sense."""

    exit_code = 2
