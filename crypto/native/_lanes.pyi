from typing import Protocol

import cffi

class _Functions(Protocol):
    LANES_DONE: int
    LANES_BAD_SIZE: int
    LANES_BAD_ORDER: int
    LANES_BAD_RANGE: int
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
    def lanes_fold_leaves(
        self,
        leaves: cffi.FFI.CData,
        size: int,
        counts: cffi.FFI.CData,
        pages: int,
        out: cffi.FFI.CData,
        out_size: int,
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
