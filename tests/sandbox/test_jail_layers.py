"""How the jail is put together: what `enter` does layer by layer, and on a machine without one."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from contracts.vm import jail
from tests.measured_child import in_child

LAYERS = (jail.NAMESPACE, *jail.REQUIRED)


def enter() -> list[str]:
    try:
        return jail.enter()
    except jail.JailUnavailable as missing:
        return [f"missing: {missing}"]


def has_jail() -> bool:
    """Can this machine hold a child in all the layers that are required?"""
    return not in_child(enter)[0].startswith("missing")


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


# --- a child of this process is jailed ---------------------------------------------------------


def try_in_jail() -> list[str]:
    held = jail.enter()
    return [
        outcome(lambda: os.open("/etc/passwd", os.O_RDONLY)),
        outcome(os.pipe),
        outcome(lambda: os.kill(os.getppid(), 0)),
        *held,
    ]


def test_a_jailed_child_holds_its_layers_and_can_do_nothing_but_talk() -> None:
    if not has_jail():
        pytest.skip("no jail on this machine")
    opened, piped, killed, *held = in_child(try_in_jail)
    assert (opened, piped, killed) == ("EPERM",) * 3
    assert set(jail.REQUIRED) <= set(held)
    assert held == [layer for layer in LAYERS if layer in held], "in the order that works"


def limit_resources() -> list[str]:
    jail._limit_resources()
    kinds = "AS", "CORE", "FSIZE", "NPROC", "NOFILE"
    limits = [resource.getrlimit(getattr(resource, f"RLIMIT_{kind}")) for kind in kinds]
    assert all(soft == hard for soft, hard in limits), "none can be raised again"
    return [str(soft) for soft, _ in limits]


def test_the_limits_are_those_of_the_jail() -> None:
    assert in_child(limit_resources) == [str(jail.MEMORY_MAX), "0", "0", "0", "3"]


def close_files() -> list[str]:
    jail._close_files()
    return [
        outcome(lambda: os.open("/etc/passwd", os.O_RDONLY)),
        outcome(lambda: os.listdir("/")),
        outcome(os.pipe),
    ]


def test_landlock_alone_closes_every_path() -> None:
    if not has_jail():
        pytest.skip("no jail on this machine")
    assert in_child(close_files) == ["EACCES", "EACCES", "done"]


# --- the layers come in one order, and each may be missing --------------------------------------


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Layers that only note their names, in the order in which they are entered."""
    names: list[str] = []

    def noting(layer: str) -> Callable[[], None]:
        return lambda: names.append(layer)

    monkeypatch.setattr(jail, "_empty_network", noting(jail.NAMESPACE))
    monkeypatch.setattr(jail, "_close_files", noting(jail.LANDLOCK))
    monkeypatch.setattr(jail, "_limit_resources", noting(jail.LIMITS))
    monkeypatch.setattr(jail, "_filter_calls", lambda: noting(jail.SECCOMP))
    return names


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_the_layers_are_entered_in_the_order_that_works(entered: list[str]) -> None:
    assert jail.enter() == entered == list(LAYERS)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSYS, "not in this kernel"), "not in this kernel"),
        (ImportError("no landlock here"), "no landlock here"),
        (AttributeError(), "AttributeError"),
    ],
)
def test_without_a_required_layer_there_is_no_jail(
    entered: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    monkeypatch.setattr(jail, "_close_files", failing(error))
    with pytest.raises(jail.JailUnavailable) as refusal:
        jail.enter()
    assert refusal.value.missing.keys() == {jail.LANDLOCK}
    assert reason in refusal.value.missing[jail.LANDLOCK]
    assert "install libseccomp2, or allow unjailed execution explicitly" in str(refusal.value)


def test_what_can_be_had_is_had_where_the_rest_is_waived(
    entered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jail, "_close_files", failing(OSError("no")))
    assert jail.enter(allow_missing=True) == [jail.NAMESPACE, jail.LIMITS, jail.SECCOMP]


def test_the_namespace_is_a_bonus(entered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail, "_empty_network", failing(OSError("not here")))
    assert jail.enter() == list(jail.REQUIRED)


# --- the network namespace ---------------------------------------------------------------------


@pytest.fixture
def unshared(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """A kernel that answers unshare() with these results; notes the flags that it was asked."""

    def prepare(*results: int) -> list[int]:
        left, asked = list(results), []

        def unshare(flags: int) -> int:
            asked.append(flags)
            ctypes.set_errno(errno.EPERM)
            return left.pop(0)

        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(unshare=unshare))
        return asked

    return prepare


def test_root_needs_no_user_namespace_for_an_empty_network(
    unshared: Callable[..., list[int]],
) -> None:
    asked = unshared(0)
    jail._empty_network()
    assert asked == [jail._CLONE_NEWNET]


def test_others_take_a_user_namespace_along(unshared: Callable[..., list[int]]) -> None:
    asked = unshared(-1, 0)
    jail._empty_network()
    assert asked == [jail._CLONE_NEWNET, jail._CLONE_NEWUSER | jail._CLONE_NEWNET]


def test_a_kernel_that_gives_neither_says_why(unshared: Callable[..., list[int]]) -> None:
    unshared(-1, -1)
    with pytest.raises(PermissionError, match="Operation not permitted"):
        jail._empty_network()


# --- the filter of calls -----------------------------------------------------------------------


class FakeFilter:
    """A libseccomp that does not know some calls."""

    def __init__(self, *unknown: str) -> None:
        self.unknown = unknown
        self.rules: list[tuple[str, str]] = []
        self.is_loaded = False

    def add_rule(self, action: str, name: str, *_: object) -> None:
        if name in self.unknown:
            raise OSError(errno.EDOM, f"no {name} here")
        self.rules.append((name, action))

    def load(self) -> None:
        self.is_loaded = True


def with_filter(monkeypatch: pytest.MonkeyPatch, rules: FakeFilter, machine: str) -> None:
    library = SimpleNamespace(
        SyscallFilter=lambda default: rules,
        ERRNO=lambda number: f"errno {number}",
        Arg=lambda *parts: parts,
        ALLOW="allow",
        KILL_PROCESS="kill",
        MASKED_EQ="masked",
    )
    monkeypatch.setitem(sys.modules, "pyseccomp", library)
    monkeypatch.setattr(platform, "machine", lambda: machine)


@pytest.mark.parametrize("error", [ImportError("not installed"), RuntimeError("too old")])
def test_without_libseccomp_its_layer_fails_when_its_turn_comes(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Absent:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "pyseccomp":
                raise error

    monkeypatch.delitem(sys.modules, "pyseccomp", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    enter = jail._filter_calls()
    with pytest.raises(RuntimeError, match=f"libseccomp: {error}"):
        enter()


def test_a_call_that_the_machine_cannot_allow_is_a_missing_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = FakeFilter("rseq")
    with_filter(monkeypatch, rules, "x86_64")
    with pytest.raises(OSError, match="no rseq here"):
        jail._filter_calls()()
    assert not rules.is_loaded


@pytest.mark.parametrize(
    ("machine", "unknown"), [("x86_64", ("kexec_load",)), ("aarch64", ("fork", "vfork", "poll"))]
)
def test_a_call_that_does_not_exist_needs_no_rule(
    monkeypatch: pytest.MonkeyPatch, machine: str, unknown: tuple[str, ...]
) -> None:
    rules = FakeFilter(*unknown)
    with_filter(monkeypatch, rules, machine)
    jail._filter_calls()()
    assert rules.is_loaded
    named = dict(rules.rules)
    assert named["read"] == "allow" and named["execve"] == "kill"
    assert not named.keys() & set(unknown)
