"""Typed Python clients of contracts, generated from an ABI.

    grammar    the type language of an ABI, read
    abi        ABI JSON, checked: `parse_abi`, `AbiInvalid`
    names      names in Python for names on the chain
    layout     lines as the formatter of the house leaves them
    kinds      annotations and decoders of types
    module     the generated module: `render_client`

An ABI may come from anybody. Whatever reaches the generated text is a checked identifier, a type
built from the grammar, or documentation that `layout.docstring` made harmless.
"""
