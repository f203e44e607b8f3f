"""A pytest plugin for `make sanitize`: crypto.native runs on another build of its C.

The build, with AddressSanitizer and UndefinedBehaviorSanitizer, stands below the folder that
SHUXIN_LANES names. It takes its place before anything imports crypto.native.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

NAME = "crypto.native._lanes"


def _load() -> None:
    (path,) = Path(os.environ["SHUXIN_LANES"]).rglob("_lanes*.so")
    spec = importlib.util.spec_from_file_location(NAME, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


_load()
