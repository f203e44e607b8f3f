"""The ABI of a contract: JSON text, made from the declarations alone."""

from __future__ import annotations

import msgspec

from contracts.vm.compile import Compiled, Method, compile_source
from contracts.vm.features import LATEST
from contracts.vm.types import show

ABI_VERSION = 1


def extract(source: str, language: int = LATEST) -> str:
    """The ABI of `source` as JSON. Raises SourceRefused, LanguageUnknown."""
    return describe(compile_source(source, language))


def describe(compiled: Compiled) -> str:
    methods = [compiled.init, compiled.migrate, *compiled.methods.values()]
    emitted = {
        site.name: [
            {"name": name, "type": show(kind)}
            for name, kind in zip(site.fields, site.types, strict=True)
        ]
        for site in compiled.sites
        if site.kind == "emit"
    }
    content = {
        "abi": ABI_VERSION,
        "methods": [_method(method) for method in methods if method is not None],
        "events": [{"name": name, "fields": fields} for name, fields in sorted(emitted.items())],
        "records": [
            {
                "name": record.name,
                "fields": [{"name": name, "type": show(kind)} for name, kind in record.fields],
            }
            for record in compiled.records
        ],
        "storage": [
            {
                "name": storage.name,
                "kind": storage.kind,
                "keys": [show(kind) for kind in storage.keys],
                "value": show(storage.value),
            }
            for storage in compiled.storage.values()
        ],
    }
    return msgspec.json.encode(content).decode()


def _method(method: Method) -> dict[str, object]:
    return {
        "name": method.name,
        "kind": method.kind,
        "parameters": [{"name": name, "type": show(kind)} for name, kind in method.parameters],
        "returns": show(method.returns),
        "documentation": method.documentation,
    }
