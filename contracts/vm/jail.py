"""The jail of the contract worker, in the one order that works.

    1 empty network namespace   where the kernel lets us (root or user namespaces)
    2 landlock                  no path can be opened any more
    3 resource limits           memory, no files, no processes, no core dumps
    4 seccomp                   allow-list: read, write, memory, clocks, exit

Descriptors limited before landlock would keep landlock from opening its rule set. Everything
the worker imports is imported before. Layers 2 to 4 are required, 1 is a bonus: with seccomp no
socket can be made anyway.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
from collections.abc import Callable
from typing import Final

NAMESPACE, LANDLOCK, LIMITS, SECCOMP = "network namespace", "landlock", "limits", "seccomp"
REQUIRED: Final = (LANDLOCK, LIMITS, SECCOMP)

MEMORY_MAX = 1 << 30  # bytes of address space; gas bounds live memory well below
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PROT_EXEC = 4

# What a running CPython needs once everything is loaded. Memory never becomes executable.
_ALLOWED: Final = (  # separated by spaces, like _DEADLY
    "read write close poll ppoll futex brk munmap mremap madvise rt_sigreturn rt_sigprocmask "
    "rt_sigaction sigaltstack exit exit_group clock_gettime clock_nanosleep gettimeofday getpid "
    "gettid tgkill getrandom sched_yield restart_syscall fstat lseek rseq membarrier"
)
# A worker that tries one of these is taken over: kill it. Anything else just fails with EPERM.
_DEADLY: Final = (
    "execve execveat fork vfork clone clone3 ptrace socket socketpair connect bind "
    "process_vm_readv process_vm_writev bpf kexec_load init_module mount setns unshare"
)


class JailUnavailable(Exception):
    """A required layer cannot be had here; `missing` says which and why."""

    def __init__(self, missing: dict[str, str]) -> None:
        reasons = "; ".join(f"{layer}: {reason}" for layer, reason in missing.items())
        super().__init__(
            f"the contract worker cannot be jailed ({reasons}). Use a kernel of 5.13 or later with "
            "landlock and seccomp, install libseccomp2, or allow unjailed execution explicitly"
        )
        self.missing = missing


def enter(*, allow_missing: bool = False) -> list[str]:
    """Jail this process for good; returns the layers that hold. Raises JailUnavailable."""
    held: list[str] = []
    missing: dict[str, str] = {}
    steps: list[tuple[str, Callable[[], None]]] = [
        (NAMESPACE, _empty_network),
        (LANDLOCK, _close_files),
        (LIMITS, _limit_resources),
        (SECCOMP, _filter_calls()),
    ]
    for layer, step in steps:
        try:
            step()
            held.append(layer)
        except (OSError, ImportError, RuntimeError, AttributeError) as error:
            missing[layer] = str(error) or type(error).__name__
    required = {layer: reason for layer, reason in missing.items() if layer in REQUIRED}
    if required and not allow_missing:
        raise JailUnavailable(required)
    return held


def _empty_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _close_files() -> None:
    import landlock

    landlock.Ruleset().apply()  # handles every access there is and allows none


def _limit_resources() -> None:
    for kind, bound in (
        (resource.RLIMIT_AS, MEMORY_MAX),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(kind, (bound, bound))


def _filter_calls() -> Callable[[], None]:
    """Load the library now, while files can be opened; build and load the filter later."""
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"libseccomp: {error}"

        def unavailable() -> None:
            raise RuntimeError(reason)

        return unavailable

    def load() -> None:
        rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
        for name in _ALLOWED.split():
            _add(rules, pyseccomp.ALLOW, name)
        for name in ("mmap", "mprotect"):
            not_executable = pyseccomp.Arg(2, pyseccomp.MASKED_EQ, _PROT_EXEC, 0)
            rules.add_rule(pyseccomp.ALLOW, name, not_executable)
        for name in _DEADLY.split():
            _add(rules, pyseccomp.KILL_PROCESS, name)
        rules.load()

    def _add(rules: pyseccomp.SyscallFilter, action: int, name: str) -> None:
        try:
            rules.add_rule(action, name)
        except OSError:
            if platform.machine() == "x86_64" and action != pyseccomp.KILL_PROCESS:
                raise  # on other machines some calls do not exist

    return load
