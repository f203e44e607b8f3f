"""Errors of the executors: each says what to do next, and none carries a value of the data."""

from __future__ import annotations


class ExecutorError(Exception):
    """Base of all errors of this package."""


class ConfigInvalid(ExecutorError):
    """A configuration file cannot be used; `line` is where (0: the file as a whole)."""

    def __init__(self, message: str, *, path: str, line: int) -> None:
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")
        self.path = path
        self.line = line


class ChainSettingsInvalid(ExecutorError):
    """The addresses of nodes, and the files to reach them with, do not fit each other."""


class DataSetInvalid(ExecutorError):
    """A data set or its registration cannot be used as asked."""


class ProgramInvalid(ExecutorError):
    """A program is well-formed bytes but asks for something outside its rules."""


class TaskRefused(ExecutorError):
    """This executor will not take part in a task; the reason goes on chain."""


class EngineFailed(ExecutorError):
    """An engine's subprocess did not deliver; `stage` is how far it came."""

    def __init__(self, reason: str, *, stage: str) -> None:
        super().__init__(f"{reason} (stage: {stage})")
        self.reason = reason
        self.stage = stage


class ShareInvalid(ExecutorError):
    """An output share cannot be opened, or contradicts the others."""
