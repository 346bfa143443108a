"""Many configs in a file of moderate size: each piece on which they agree stands there once.

A config (`RunConfig`, `TrainConfig`) is packed as a *row*, in which each value that is no plain number
or text is replaced by its place in a table of the distinct ones. Fields stay named, so one that is
added to the schema later has its default when an older file is read. What rows and tables are for is
left to `sweeps.runs.frozen`.
"""

import functools
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from sweeps import durable

T = TypeVar("T")

Row = dict[str, Any]
Tables = dict[str, list[msgspec.Raw]]
"""By `Type.field`: the JSON of each distinct value."""

PLAIN = {int, float, str, bool, types.NoneType}


class Packer:
    """Packs configs; `tables` grows with them. A piece is kept, so that no other can have its `id`."""

    def __init__(self) -> None:
        self.tables: Tables = {}
        self._by_id: dict[tuple[str, int], tuple[Any, int]] = {}
        self._by_content: dict[tuple[str, bytes], int] = {}

    def row(self, config: Any, **ready: Any) -> Row:
        """Return the row of a config, with the values that are given for some of its fields."""
        kind: Any = type(config)
        row = {**fields_of(config), **ready}
        for name, column in _columns(kind).items():
            if name not in ready:
                row[name] = self._number(column, row[name])
        return row

    def _number(self, column: str, piece: Any) -> int:
        if (column, id(piece)) not in self._by_id:
            content, table = durable.encode(piece).rstrip(), self.tables.setdefault(column, [])
            number = self._by_content.setdefault((column, content), len(table))
            if number == len(table):
                table.append(msgspec.Raw(content))
            self._by_id[column, id(piece)] = (piece, number)
        return self._by_id[column, id(piece)][1]


class Unpacker:
    """Makes configs of rows; those that agree on a piece share it."""

    def __init__(self, tables: Mapping[str, Sequence[msgspec.Raw]]) -> None:
        self._raw = tables
        self._tables: dict[type, dict[str, tuple[Any, ...]]] = {}

    def config(self, row: Row, kind: type[T], **ready: Any) -> T:
        """Return the config that was packed as `row`, which is used up, with the fields that are given.

        Raises:
            msgspec.DecodeError, LookupError, TypeError: it is none of a `kind`.
        """
        for name, table in self._tables_of(kind).items():
            if name in row:
                row[name] = table[row[name]]
        return kind(**{**row, **ready})

    def _tables_of(self, kind: Any) -> dict[str, tuple[Any, ...]]:
        if kind not in self._tables:
            self._tables[kind] = {name: pieces(self._raw, kind, name) for name in _columns(kind)}
        return self._tables[kind]


def pieces(tables: Mapping[str, Sequence[msgspec.Raw]], kind: Any, name: str) -> tuple[Any, ...]:
    """Return the distinct values that a field of packed configs has.

    Raises:
        msgspec.DecodeError: they are none of its type.
    """
    hint = get_type_hints(kind, include_extras=True)[name]
    return tuple(durable.decode(bytes(raw), hint) for raw in tables.get(_columns(kind)[name], []))


def fields_of(value: Any) -> Row:
    """Return the fields of a dataclass, as they are."""
    kind: Any = type(value)
    return {name: getattr(value, name) for name in _names(kind)}


@functools.cache
def _columns(kind: Any) -> dict[str, str]:
    """Return the fields of a config whose values stand in tables, with the name of each table."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: f"{kind.__name__}.{name}" for name, hint in hints.items() if not _is_plain(hint)}


@functools.cache
def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _is_plain(hint: Any) -> bool:
    """Return whether values of a type come back from JSON as they were, without being told of it."""
    if get_origin(hint) is Annotated:
        return _is_plain(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return all(map(_is_plain, get_args(hint)))
    return hint in PLAIN
