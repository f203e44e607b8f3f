"""How several processes share the tests (see `make test`), and what Hypothesis may take."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

NETWORKS = "tests/e2e/"

os.environ["LC_ALL"] = "C.UTF-8"  # whose tests these are must not choose the language of commands

# A machine that is busy with something else makes any one example slow; speed is for bench/.
settings.register_profile("shuxin", deadline=None)
settings.load_profile("shuxin")


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Files stay together, for the sake of what their tests share; and networks of processes run
    one after the other, since each of them takes all cores."""

    def _split_scope(self, nodeid: str) -> str:
        return NETWORKS if nodeid.startswith(NETWORKS) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)
