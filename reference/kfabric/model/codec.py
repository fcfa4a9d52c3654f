# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs, Histories, Guarantees, Judgements and Evidence as JSON-able values, and the JSON schemas of these forms.

One table, derived from the dataclasses themselves, encodes, decodes and describes. Fields that hold their default are
left out. Bytes are hexadecimal, sets are sorted lists, endpoints are written ``B/1``. A document names its schema and
version (``"schema": "kfabric.program/1"``); another version, or a field nobody knows, is a ``CodecError``.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from . import evidence, history, program
from .evidence import Evidence
from .guarantees import Guarantees
from .history import Event, History
from .program import Bytes, EndpointRef, Pattern, Program, Step, Wide
from .verdict import Judgement

Json = Any


class CodecError(ValueError):
    """The document is not what it should be; ``path`` says where."""

    def __init__(self, path: str, sentence: str) -> None:
        self.path = path
        self.sentence = sentence
        super().__init__(f"{path or 'document'}: {sentence}")


@dataclass(frozen=True)
class Form:
    """How one type is written, read and described."""

    encode: Callable[[Any], Json]
    decode: Callable[[Json, str], Any]
    schema: Callable[[dict[str, Json]], Json]


def _same(value: Any) -> Json:
    return value


def _plain(kind: type, word: str) -> Form:
    def decode(value: Json, path: str) -> Any:
        if type(value) is not kind:
            raise CodecError(path, f"is a JSON {word}, not {value!r:.40}")
        return value

    return Form(_same, decode, lambda _: {"type": word})


_WIDE: Json = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?0x[0-9a-f]+$"}]}


def _wide() -> Form:
    """Integers of any width: a JSON number up to 64 bits, hexadecimal digits beyond."""

    def decode(value: Json, path: str) -> int:
        if type(value) is int:
            return value
        if isinstance(value, str) and re.fullmatch("-?0x[0-9a-f]+", value):
            return int(value, 16)
        raise CodecError(path, "is an integer, or hexadecimal digits after 0x in a string")

    return Form(lambda value: value if abs(value) < 1 << 64 else hex(value), decode, lambda _: _WIDE)


def _hex() -> Form:
    def decode(value: Json, path: str) -> bytes:
        try:
            return bytes.fromhex(value)
        except (TypeError, ValueError):
            raise CodecError(path, "is a string of hexadecimal digits") from None

    return Form(lambda value: value.hex(), decode, lambda _: {"type": "string", "pattern": "^([0-9a-f]{2})*$"})


def _enum(kind: type[Enum]) -> Form:
    values = [member.value for member in kind]

    def decode(value: Json, path: str) -> Enum:
        if value not in values:
            raise CodecError(path, f"is one of {', '.join(map(repr, values))}, not {value!r:.40}")
        return kind(value)

    return Form(lambda value: value.value, decode, lambda _: {"enum": values})


def _endpoint() -> Form:
    def decode(value: Json, path: str) -> EndpointRef:
        node, slash, index = value.partition("/") if isinstance(value, str) else ("", "", "")
        if not node or (slash and not index.isdigit()):
            raise CodecError(path, "is an endpoint as B or B/1")
        return EndpointRef(node, int(index or 0))

    return Form(str, decode, lambda _: {"type": "string", "pattern": "^[^/]+(/[0-9]+)?$"})


def _value() -> Form:
    """Content: self-identifying, or an integer."""
    wide = _wide()

    def encode(value: Bytes | Pattern) -> Json:
        return wide.encode(value.value) if isinstance(value, Bytes) else "pattern"

    def decode(value: Json, path: str) -> Bytes | Pattern:
        return Pattern() if value == "pattern" else Bytes(wide.decode(value, path))

    return Form(encode, decode, lambda _: {"anyOf": [{"const": "pattern"}, *_WIDE["anyOf"]]})


def _real(value: float) -> Json:
    return value if value == value and abs(value) != float("inf") else repr(value)


def _unreal(value: Json, path: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if value in ("inf", "-inf", "nan"):
        return float(value)
    raise CodecError(path, "is a number, inf, -inf or nan")


_REAL: Json = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}


def _element() -> Form:
    """An element of an atomic operation: integer, float, or complex as a pair."""

    def encode(value: Any) -> Json:
        if isinstance(value, tuple):
            return [_real(value[0]), _real(value[1])]
        return _real(value) if isinstance(value, float) else value

    def decode(value: Json, path: str) -> Any:
        if isinstance(value, list) and len(value) == 2:
            return _unreal(value[0], path), _unreal(value[1], path)
        return value if type(value) is int else _unreal(value, path)

    pair: Json = {"type": "array", "items": _REAL, "minItems": 2, "maxItems": 2}
    return Form(encode, decode, lambda _: {"anyOf": [*_REAL["anyOf"], pair]})


def _optional(inner: Form) -> Form:
    return Form(
        lambda value: None if value is None else inner.encode(value),
        lambda value, path: None if value is None else inner.decode(value, path),
        lambda defs: {"anyOf": [inner.schema(defs), {"type": "null"}]},
    )


def _list(value: Json, path: str) -> list[Json]:
    if not isinstance(value, list):
        raise CodecError(path, f"is a list, not {value!r:.40}")
    return value


def _many(inner: Form, kind: type) -> Form:
    """Tuples of one type, and sets (sorted)."""

    def encode(value: Any) -> Json:
        items = [inner.encode(item) for item in value]
        return sorted(items) if kind is frozenset else items

    def decode(value: Json, path: str) -> Any:
        return kind(inner.decode(item, f"{path}[{at}]") for at, item in enumerate(_list(value, path)))

    unique: Json = {"uniqueItems": True} if kind is frozenset else {}
    return Form(encode, decode, lambda defs: {"type": "array", "items": inner.schema(defs), **unique})


def _row(inners: tuple[Form, ...]) -> Form:
    """Tuples of fixed length."""

    def encode(value: Any) -> Json:
        return [inner.encode(item) for inner, item in zip(inners, value, strict=True)]

    def decode(value: Json, path: str) -> Any:
        items = _list(value, path)
        if len(items) != len(inners):
            raise CodecError(path, f"has {len(inners)} items, not {len(items)}")
        return tuple(
            inner.decode(item, f"{path}[{at}]") for at, (inner, item) in enumerate(zip(inners, items, strict=True))
        )

    def schema(defs: dict[str, Json]) -> Json:
        prefix = [inner.schema(defs) for inner in inners]
        return {"type": "array", "prefixItems": prefix, "items": False, "minItems": len(inners)}

    return Form(encode, decode, schema)


def _tag(kind: type) -> tuple[str, str] | None:
    """The key and word by which one of several kinds is told from the others."""
    if issubclass(kind, Step):
        return "step", kind.word
    if issubclass(kind, Event):
        return "event", kind.word
    named = _SCHEMAS.get(kind)
    return ("schema", named) if named else None


def _record(kind: type) -> Form:
    hints = get_type_hints(kind, include_extras=True)
    members = {each.name: (form_of(hints[each.name]), each) for each in fields(kind)}
    tag = _tag(kind)

    def default(each: Any) -> Any:
        return each.default_factory() if each.default_factory is not MISSING else each.default

    def encode(value: Any) -> Json:
        result: dict[str, Json] = {tag[0]: tag[1]} if tag else {}
        for name, (form, each) in members.items():
            item = getattr(value, name)
            if default(each) is MISSING or item != default(each):
                result[name] = form.encode(item)
        return result

    def decode(value: Json, path: str) -> Any:
        if not isinstance(value, dict):
            raise CodecError(path, f"is a JSON object ({kind.__name__}), not {value!r:.40}")
        if tag and value.get(tag[0]) != tag[1]:
            raise CodecError(path, f"has {tag[0]} {tag[1]!r}, not {value.get(tag[0])!r:.40}")
        unknown = sorted(set(value) - set(members) - ({tag[0]} if tag else set()))
        if unknown:
            raise CodecError(path, f"{kind.__name__} has no field {unknown[0]!r}")
        given: dict[str, Any] = {}
        for name, (form, each) in members.items():
            if name in value:
                given[name] = form.decode(value[name], f"{path}.{name}" if path else name)
            elif default(each) is MISSING:
                raise CodecError(path, f"{kind.__name__} lacks {name!r}")
        return kind(**given)

    def schema(defs: dict[str, Json]) -> Json:
        if kind.__name__ not in defs:
            defs[kind.__name__] = {}
            properties: dict[str, Json] = {tag[0]: {"const": tag[1]}} if tag else {}
            properties.update({name: form.schema(defs) for name, (form, _) in members.items()})
            required = [name for name, (_, each) in members.items() if default(each) is MISSING]
            defs[kind.__name__] = {
                "description": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
                "type": "object",
                "properties": properties,
                "required": ([tag[0]] if tag else []) + required,
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{kind.__name__}"}

    return Form(encode, decode, schema)


def _union(kinds: tuple[type, ...]) -> Form:
    """One of several tagged records."""
    forms = {kind: form_of(kind) for kind in kinds}
    tags = {kind: cast("tuple[str, str]", _tag(kind)) for kind in kinds}
    key = tags[kinds[0]][0]
    by_word = {tags[kind][1]: forms[kind] for kind in kinds}

    def decode(value: Json, path: str) -> Any:
        word = value.get(key) if isinstance(value, dict) else None
        if word not in by_word:
            raise CodecError(path, f"has {key!r} one of {', '.join(by_word)}")
        return by_word[word].decode(value, path)

    return Form(
        lambda value: forms[type(value)].encode(value),
        decode,
        lambda defs: {"oneOf": [form.schema(defs) for form in forms.values()]},
    )


_SCHEMAS: dict[type, str] = {
    Program: f"kfabric.program/{program.FORMAT}",
    History: f"kfabric.history/{history.FORMAT}",
    Guarantees: "kfabric.guarantees/1",
    Judgement: "kfabric.judgement/1",
    Evidence: f"kfabric.evidence/{evidence.FORMAT}",
}
_KINDS = {name: kind for kind, name in _SCHEMAS.items()}
_PLAIN = {int: _plain(int, "integer"), str: _plain(str, "string"), bool: _plain(bool, "boolean"), bytes: _hex()}


def _form_of_union(args: tuple[Any, ...]) -> Form:
    if type(None) in args:
        rest = tuple(arg for arg in args if arg is not type(None))
        return _optional(form_of(rest[0]) if len(rest) == 1 else _form_of_union(rest))
    if set(args) == {Bytes, Pattern}:
        return _value()
    if float in args:
        return _element()
    return _union(args)


@lru_cache(maxsize=256)
def form_of(kind: Any) -> Form:
    """How values of a type are written."""
    origin, args = get_origin(kind), get_args(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == Wide:
        return _wide()
    if origin in (Union, types.UnionType):
        return _form_of_union(args)
    if origin is frozenset:
        return _many(form_of(args[0]), frozenset)
    if origin is tuple:
        if args[-1] is Ellipsis:
            return _many(form_of(args[0]), tuple)
        return _row(tuple(form_of(arg) for arg in args))
    if kind is EndpointRef:
        return _endpoint()
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    raise TypeError(f"no JSON form for {kind!r}")


Document = Program | History | Guarantees | Judgement | Evidence


def encode(value: Document) -> dict[str, Json]:
    """The JSON-able form of a document."""
    return cast("dict[str, Json]", form_of(cast("Any", type(value))).encode(value))


def decode(document: Json) -> Document:
    """The value of a document, whichever it is."""
    name = document.get("schema") if isinstance(document, dict) else None
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise CodecError("schema", f"is one of {', '.join(_KINDS)}, not {name!r:.60}")
    return cast("Document", form_of(kind).decode(document, ""))


def dumps(value: Document, indent: int | None = None) -> str:
    """A document as JSON text."""
    return json.dumps(encode(value), indent=indent, allow_nan=False)


def loads(text: str) -> Document:
    """The value of a document in JSON text."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise CodecError(f"line {error.lineno}, column {error.colno}", f"is no JSON: {error.msg}") from None
    return decode(document)


def schema(kind: type[Document]) -> dict[str, Json]:
    """The JSON schema of a document; the committed files under ``schemas/`` hold what this returns."""
    defs: dict[str, Json] = {}
    top = form_of(cast("Any", kind)).schema(defs)
    name = _SCHEMAS[kind]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{name.replace('/', ':').replace('.', ':')}",
        "title": name,
        **top,
        "$defs": dict(sorted(defs.items())),
    }


DOCUMENTS: dict[str, type[Document]] = {
    "program": Program,
    "history": History,
    "guarantees": Guarantees,
    "judgement": Judgement,
    "evidence": Evidence,
}
"""Kinds of documents by the name of their schema file."""
