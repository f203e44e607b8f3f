"""How the C of this package becomes `crypto.native._lanes`; read by setup.py, never by a node.

What `_CDEF` declares is what lanes.h declares: the compiler compares the two.
"""

from __future__ import annotations

import cffi

_FOLDER = "crypto/native"  # from the root of the sources, where setup.py stands

_CDEF = """
#define LANES_DONE ...
#define LANES_BAD_SIZE ...
#define LANES_BAD_ORDER ...
#define LANES_BAD_RANGE ...
#define LANES_BAD_PAGE ...
#define LANES_LEAVES_MAX ...
#define LANES_LEVELS_MAX ...
int lanes_digests(const uint8_t *data, size_t size, const uint64_t *ends, size_t count,
                  uint8_t *out, size_t out_size);
int lanes_join(unsigned depth, const uint8_t *pairs, size_t size, uint8_t *out, size_t out_size);
int lanes_change_pages(const uint8_t *pages, size_t pages_size, const uint64_t *page_ends,
                       const uint8_t *changes, size_t changes_size, const uint64_t *change_ends,
                       size_t count, unsigned leaves_max, uint8_t *out, size_t out_size,
                       uint64_t *out_ends);
int lanes_fold_stem(uint8_t *nodes, size_t size, unsigned levels, const uint32_t *indexes,
                    size_t count, const uint8_t *hashes, size_t hashes_size, uint32_t *touched,
                    uint8_t *before, size_t room, size_t *used);
"""


def builder() -> cffi.FFI:
    """The extension module, for cffi's part of setuptools."""
    ffi = cffi.FFI()
    ffi.cdef(_CDEF)
    ffi.set_source(
        "crypto.native._lanes",
        '#include "lanes.h"',
        sources=[f"{_FOLDER}/lanes.c", f"{_FOLDER}/sm3.c"],
        depends=[f"{_FOLDER}/lanes.h", f"{_FOLDER}/sm3.h"],
        include_dirs=[_FOLDER],
        extra_compile_args=["-O3", "-std=gnu11", "-Wall", "-Wextra"],
    )
    return ffi
