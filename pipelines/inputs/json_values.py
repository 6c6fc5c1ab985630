"""Values of Arrow columns, of any kind, as the text of JSON values."""

import base64
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from pipelines.inputs.json_columns import NULL, TEXT, Part, joined, json_string, string_parts
from transforms.lines import is_utf8

_LEAST_PLAIN, _ABOVE_PLAIN = 1e-6, 1e21


def plain(values: pa.Array) -> pa.Array:
    """The same values without an encoding around them."""
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(values.storage)
    if kinds.is_dictionary(kind):
        return plain(values.dictionary_decode())
    if kinds.is_list_view(kind) or kinds.is_large_list_view(kind):
        return values.cast(pa.large_list(kind.value_field))
    return values


def is_text(kind: pa.DataType) -> bool:
    """Whether a column is of text."""
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def as_text(values: pa.Array) -> pa.LargeBinaryArray:
    """Scalars as Arrow spells them."""
    # text is taken as its bytes: whether they are UTF-8 is not asked here
    return values.cast(TEXT if is_text(values.type) else pa.large_string()).cast(TEXT)


def value_parts(values: pa.Array) -> list[Part]:
    """A column as JSON values, `null` for none: parts to be joined.

    Numbers are their digits; NaN and infinities, which JSON has not, a bare `NaN`. A timestamp is
    RFC 3339 in UTC with the digits of its unit, one without a zone is taken as UTC; dates and times
    are ISO 8601. Structs and maps are objects, lists arrays, bytes text, or base64 where they are
    no UTF-8. Raises ArrowNotImplementedError for a type that is none of these.
    """
    values = plain(values)
    parts = _maker(values.type)(values)
    if not values.null_count:
        return parts
    return [pc.if_else(values.is_valid(), joined(parts, len(values)), NULL)]


def _maker(kind: pa.DataType) -> Callable[[pa.Array], list[Part]]:
    for is_kind, maker in _MAKERS:
        if is_kind(kind):
            return maker
    raise pa.ArrowNotImplementedError(f"there is no JSON for a column of type {kind}")


def _nothing(_: pa.Array) -> list[Part]:
    return [b"null"]


def _as_spelled(values: pa.Array) -> list[Part]:
    return [as_text(values)]


def _float(values: pa.Array) -> list[Part]:
    """The shortest digits that read back as the same number, laid out as in RFC 8785."""
    if kinds.is_float16(values.type):
        values = values.cast(pa.float32())
    spelled = values.cast(pa.large_string())
    size = np.abs(pc.fill_null(values, 0).cast(pa.float64()).to_numpy(zero_copy_only=False))
    texts = _respelled(spelled, _has(spelled, "e") & (size >= _LEAST_PLAIN) & (size < _ABOVE_PLAIN))
    for which, text in ((size == 0, "0"), (~np.isfinite(size), "NaN")):
        if which.any():
            texts = pc.if_else(pa.array(which), pa.scalar(text, pa.large_string()), texts)
    return [texts.cast(TEXT)]


def _decimal(values: pa.Array) -> list[Part]:
    spelled = values.cast(pa.large_string())
    return [_respelled(spelled, _has(spelled, "E")).cast(TEXT)]


def _has(texts: pa.LargeStringArray, letter: str) -> np.ndarray:
    found = pc.fill_null(pc.match_substring(texts, letter), fill_value=False)
    return np.asarray(found.to_numpy(zero_copy_only=False))


def _respelled(texts: pa.LargeStringArray, chosen: np.ndarray) -> pa.LargeStringArray:
    """The chosen numbers without an exponent."""
    if not chosen.any():
        return texts
    mask = pa.array(chosen)
    digits = [format(Decimal(text), "f") for text in texts.filter(mask).to_pylist()]
    return pc.replace_with_mask(texts, mask, pa.array(digits, pa.large_string()))


def _timestamp(values: pa.Array) -> list[Part]:
    # as an integer and back: the instant itself, without a zone
    instants = values.cast(pa.int64()).cast(pa.timestamp(values.type.unit))
    texts = pc.replace_substring(as_text(instants), " ", "T", max_replacements=1)
    return [b'"', texts, b'Z"']


def _quoted(values: pa.Array) -> list[Part]:
    return [b'"', as_text(values), b'"']


def _text(values: pa.Array) -> list[Part]:
    return string_parts(as_text(values))


def _bytes(values: pa.Array) -> list[Part]:
    raw = values.cast(TEXT)
    try:
        raw.cast(pa.large_string())
    except pa.ArrowInvalid:
        texts = [None if each is None else _text_or_base64(each) for each in raw.to_pylist()]
        raw = pa.array(texts, TEXT)
    return string_parts(raw)


def _text_or_base64(raw: bytes) -> bytes:
    return raw if is_utf8(raw) else base64.b64encode(raw)


def _struct(values: pa.Array) -> list[Part]:
    parts: list[Part] = []
    # flatten() and not field(): from the offset on, and null where the struct is
    for field, column in zip(values.type, values.flatten(), strict=True):
        parts += [b"," if parts else b"{", json_string(field.name.encode()), b":"]
        parts += value_parts(column)
    return [*(parts or [b"{"]), b"}"]


def _list(values: pa.Array) -> list[Part]:
    items = values.flatten()
    return [b"[", _rejoined(values, joined(value_parts(items), len(items))), b"]"]


def _map(values: pa.Array) -> list[Part]:
    lists = values.view(pa.list_(pa.struct([values.type.key_field, values.type.item_field])))
    keys, items = lists.flatten().flatten()
    fields = joined([*_key_parts(keys), b":", *value_parts(items)], len(keys))
    return [b"{", _rejoined(lists, fields), b"}"]


def _key_parts(keys: pa.Array) -> list[Part]:
    """Keys as JSON strings: of what is no string its JSON text."""
    texts = joined(value_parts(keys), len(keys))
    if not len(texts) or texts[0].as_py().startswith(b'"'):
        return [texts]
    return string_parts(texts)


def _rejoined(lists: pa.Array, items: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """The items of each list with commas between them; `items` are all, of null lists none."""
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    grouped = pa.LargeListArray.from_arrays(pa.array(offsets), items)
    return pc.binary_join(grouped, pa.scalar(b",", TEXT))


_MAKERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], list[Part]]], ...] = (
    (kinds.is_null, _nothing),
    (kinds.is_boolean, _as_spelled),
    (kinds.is_integer, _as_spelled),
    (kinds.is_duration, _as_spelled),
    (kinds.is_floating, _float),
    (kinds.is_decimal, _decimal),
    (is_text, _text),
    (kinds.is_binary, _bytes),
    (kinds.is_large_binary, _bytes),
    (kinds.is_binary_view, _bytes),
    (kinds.is_fixed_size_binary, _bytes),
    (kinds.is_timestamp, _timestamp),
    (kinds.is_date, _quoted),
    (kinds.is_time, _quoted),
    (kinds.is_struct, _struct),
    (kinds.is_map, _map),
    (kinds.is_list, _list),
    (kinds.is_large_list, _list),
    (kinds.is_fixed_size_list, _list),
)
