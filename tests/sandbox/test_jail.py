"""What the jail holds on this machine, layer by layer, tried from inside by hostile code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.vm import jail
from contracts.vm.host import JailRefused, Worker

ROOT = Path(__file__).resolve().parents[2]

PROBE = """
import ctypes, mmap, os, signal, socket, subprocess, sys
from contracts.vm import jail
try:
    print(",".join(jail.enter()), flush=True)
except jail.JailUnavailable as error:
    print("unavailable", error, flush=True)
    sys.exit(3)
try:
    {attack}
except (OSError, MemoryError, ValueError) as error:
    print("stopped", type(error).__name__, flush=True)
    os._exit(0)
print("escaped", flush=True)
os._exit(1)
"""


def probe(attack: str) -> tuple[int, list[str]]:
    result = subprocess.run(
        [sys.executable, "-B", "-c", PROBE.format(attack=attack)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = result.stdout.splitlines()
    if result.returncode == 3:
        pytest.skip(f"no jail on this machine: {lines[-1]}")
    return result.returncode, lines


FAILS = {
    "reading_a_file": "open('/etc/passwd').read()",
    "reading_its_own_code": f"open({__file__!r}).read()",
    "reading_the_environment_of_its_parent": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "writing_a_file": "open('/tmp/escaped', 'w')",
    "listing_a_directory": "os.listdir('/')",
    "opening_a_device": "os.open('/dev/null', os.O_RDONLY)",
    "removing_a_file": "os.unlink('/tmp/escaped')",
    "changing_directory": "os.chdir('/')",
    "stating_a_file": "os.stat('/etc/passwd')",
    "killing_the_parent": "os.kill(os.getppid(), 0)",
    "executable_memory": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
    "two_gigabytes": "bytearray(2 << 30)",
    "a_pipe": "os.pipe()",
    "more_descriptors": "os.dup(1)",
    "raising_its_limits": "__import__('resource').setrlimit(0, (1, 1))",
}
KILLED = {
    "a_socket": "socket.socket()",
    "a_unix_socket": "socket.socket(socket.AF_UNIX)",
    "fork": "os.fork()",
    "a_program": "os.execv('/bin/true', ['true'])",
    "a_subprocess": "subprocess.Popen(['/bin/true'])",
    "a_thread": "__import__('_thread').start_new_thread(print, ())",
    "tracing": "ctypes.CDLL(None).ptrace(0, 0, 0, 0)",
    "a_user_namespace": "ctypes.CDLL(None).unshare(0x10000000)",
}


@pytest.mark.parametrize("attack", FAILS)
def test_the_jail_stops(attack: str) -> None:
    status, lines = probe(FAILS[attack])
    assert status == 0, lines
    assert lines[-1].startswith("stopped")


@pytest.mark.parametrize("attack", KILLED)
def test_the_jail_kills(attack: str) -> None:
    status, lines = probe(KILLED[attack])
    assert "escaped" not in lines
    assert status == -signal.SIGSYS or lines[-1].startswith("stopped")


def test_every_required_layer_holds_and_is_reported() -> None:
    _, lines = probe("open('/etc/passwd')")
    assert set(jail.REQUIRED) <= set(lines[0].split(","))


def test_the_worker_reports_its_layers() -> None:
    try:
        with Worker() as worker:
            assert set(jail.REQUIRED) <= set(worker.layers)
    except JailRefused as refusal:
        pytest.skip(str(refusal))


def test_an_unjailed_worker_says_so() -> None:
    with Worker(jail=False) as worker:
        assert worker.layers == ()
        assert worker.check("import os")[0].rule == "L003"


def test_without_its_libraries_the_worker_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "landlock.py").write_text("raise ImportError('no landlock here')")
    script = (
        "from contracts.vm import jail\n"
        "try:\n    jail.enter()\n"
        "except jail.JailUnavailable as error:\n    print(error)\n"
        "else:\n    print('ran')\n"
    )
    strict = _run_with(tmp_path, script)
    assert "landlock: no landlock here" in strict and "ran" not in strict
    assert "allow unjailed execution explicitly" in strict


def test_lenient_start_keeps_the_layers_it_can_have(tmp_path: Path) -> None:
    (tmp_path / "landlock.py").write_text("raise ImportError('no landlock here')")
    script = "from contracts.vm import jail\nprint(jail.enter(allow_missing=True))\n"
    held = _run_with(tmp_path, script)
    assert "landlock" not in held and "limits" in held


def _run_with(folder: Path, script: str) -> str:
    result = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=ROOT,
        env={"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return result.stdout
