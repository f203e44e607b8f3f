"""Forms (表单): the options of a verb in a TOML file, for `--file`, and the template of one.

A form has the verb's options by name, without the dashes: `expires = "+30d"`, and a list for what
may be repeated. Values are written as on the command line, which wins over the form. What a verb
does not take is refused by name, so that a slip of the pen changes nothing unnoticed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer
from typer.core import TyperOption

from cli.output import CommandRefused
from cli.translated import help_text
from client.toml import TomlInvalid, parse_toml

FORM_SIZE_MAX: Final = 256 << 10  # bytes: more is no form but a wrong file
FORM: Final = "form"  # the parameter that `--file` fills
COMMON_PANEL: Final = "Common options"  # of the help; what is in it is not of the verb itself
WIDTH: Final = 92  # columns of a line of help in a template

Written: TypeAlias = str | bool | list[str]


class FormInvalid(CommandRefused):
    """A form cannot be read, or says what the verb does not take; the text says which."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__("form.invalid", f"{path}: {why}")


def read_form(path: Path, fields: Mapping[str, Field]) -> dict[str, Written]:
    """What a form says, by name, as it would be written on a command line.

    Raises FormInvalid or OSError.
    """
    with path.open("rb") as file:
        data = file.read(FORM_SIZE_MAX + 1)
    if len(data) > FORM_SIZE_MAX:
        raise FormInvalid(path, f"over {FORM_SIZE_MAX >> 10} KiB is no form")
    try:
        table = parse_toml(data.decode("utf-8"))
    except (TomlInvalid, UnicodeDecodeError) as error:
        raise FormInvalid(path, f"not TOML: {error}") from None
    said: dict[str, Written] = {}
    for name, value in table.items():
        field = fields.get(name)
        if field is None:
            known = ", ".join(sorted(fields))
            raise FormInvalid(path, f"{name!r} is none of what it takes: {known}")
        said[name] = _written(path, field, value)
    return said


def _written(path: Path, field: Field, value: object) -> Written:
    if field.is_flag:
        if isinstance(value, bool):
            return value
        raise FormInvalid(path, f"{field.name}: write true or false")
    if not field.is_repeated:
        return _text(path, field, value)
    if isinstance(value, list):
        return [_text(path, field, item) for item in value]
    raise FormInvalid(path, f"{field.name}: it may be repeated, so write a list, [ … ]")


def _text(path: Path, field: Field, value: object) -> str:
    """A value of TOML as it is written on a command line."""
    match value:
        case str():
            return value
        case bool() | float() | list() | dict():
            raise FormInvalid(path, f"{field.name}: write it in quotes, as on the command line")
        case int():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
    raise AssertionError("TOML has no other values")


# --- the option ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """An option of a verb as a form has it; `parameter` is its name in the program."""

    name: str
    parameter: str
    is_repeated: bool
    is_flag: bool
    is_required: bool
    help: str
    default: object


def fields_of(parameters: Iterable[object]) -> dict[str, Field]:
    """The options of a verb that a form may have, by name, in their order."""
    found: dict[str, Field] = {}
    for option in parameters:
        if not isinstance(option, TyperOption) or option.rich_help_panel == COMMON_PANEL:
            continue
        name = next(text for text in option.opts if text.startswith("--"))[2:].replace("-", "_")
        assert option.name is not None, "typer names them all"
        if option.name in (FORM, "help"):
            continue
        found[name] = Field(
            name=name,
            parameter=option.name,
            is_repeated=option.multiple,
            is_flag=bool(option.is_flag),
            is_required=option.required,
            help=help_text(option.help or ""),
            default=option.default,
        )
    return found


def _fill(context: typer.Context, form: Path | None) -> Path | None:
    """What the form says stands where the command line says nothing."""
    if form is None or context.resilient_parsing:
        return form
    fields = fields_of(context.command.params)
    said = read_form(form, fields)
    context.default_map = {fields[name].parameter: value for name, value in said.items()}
    return form


FormFile = Annotated[
    Path | None,
    typer.Option(
        "--file",
        exists=True,
        dir_okay=False,
        is_eager=True,
        callback=_fill,
        metavar="FORM.toml",
        help="Take what is not given here from this file; see the verb `template`.",
    ),
]


# --- templates -----------------------------------------------------------------------------------


def template_of(noun: str, name: str, callback: Callable[..., object]) -> str:
    """A form of the verb to be filled in: what it needs, and what it takes besides, as comments."""
    app = typer.Typer(add_completion=False)
    app.command(name)(callback)
    command = typer.main.get_command(app)
    needed: list[str] = []
    others: list[str] = []
    for field in fields_of(command.params).values():
        shown = ["", *(f"# {line}" for line in textwrap.wrap(field.help, WIDTH))]
        if field.is_required:
            needed += [*shown, f"{field.name} = {_blank(field)}"]
        else:
            others += [*shown, f"# {field.name} = {_blank(field)}"]
    head = f"# For: shuxin {noun} {name} ID --file FORM.toml. Lines after # may be left out."
    return "\n".join([head, *needed, *others]) + "\n"


def _blank(field: Field) -> str:
    """What stands in a template: the default, or nothing of the right form."""
    if field.is_flag:
        return "true" if field.default is True else "false"
    if field.is_repeated:
        shown = field.default if isinstance(field.default, list | tuple) else ()
        return "[" + ", ".join(_quoted(item) for item in (shown or ("",))) + "]"
    if isinstance(field.default, int):
        return str(field.default)
    return _quoted("" if field.default is None else field.default)


def _quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
