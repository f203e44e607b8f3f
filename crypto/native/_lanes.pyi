from typing import Protocol

import cffi

class _Functions(Protocol):
    LANES_DONE: int
    LANES_BAD_SIZE: int
    LANES_BAD_ORDER: int
    LANES_BAD_RANGE: int
    LANES_BAD_PAGE: int
    LANES_LEAVES_MAX: int
    LANES_LEVELS_MAX: int

    def lanes_digests(
        self,
        data: cffi.FFI.CData,
        size: int,
        ends: cffi.FFI.CData,
        count: int,
        out: cffi.FFI.CData,
        out_size: int,
        /,
    ) -> int: ...
    def lanes_join(
        self,
        depth: int,
        pairs: cffi.FFI.CData,
        size: int,
        out: cffi.FFI.CData,
        out_size: int,
        /,
    ) -> int: ...
    def lanes_change_pages(
        self,
        pages: cffi.FFI.CData,
        pages_size: int,
        page_ends: cffi.FFI.CData,
        changes: cffi.FFI.CData,
        changes_size: int,
        change_ends: cffi.FFI.CData,
        count: int,
        leaves_max: int,
        out: cffi.FFI.CData,
        out_size: int,
        out_ends: cffi.FFI.CData,
        /,
    ) -> int: ...
    def lanes_fold_stem(
        self,
        nodes: cffi.FFI.CData,
        size: int,
        levels: int,
        indexes: cffi.FFI.CData,
        count: int,
        hashes: cffi.FFI.CData,
        hashes_size: int,
        touched: cffi.FFI.CData,
        before: cffi.FFI.CData,
        room: int,
        used: cffi.FFI.CData,
        /,
    ) -> int: ...

ffi: cffi.FFI
lib: _Functions
