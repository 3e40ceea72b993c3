"""Entry: the base of every record, whose values JSON and a page can show as soon as it is made."""

from __future__ import annotations

import enum
import math
import numbers
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

import msgspec

from zsgate.errors import without_credentials

# what no page can show: controls (escape sequences of terminals among them), characters that turn the reading
# direction around, halves of surrogate pairs
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Policy = Literal["beats", "noninferior", "point"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A record whose values are cleaned when it is made, whether by hand or from JSON.

    NaN and infinities become None, numbers of NumPy Python's own, characters that no page can show U+FFFD, and
    credentials are left out of addresses.

    Raises
    ------
    TypeError
        If a value is neither a record, a mapping, a sequence, a string, a number nor None; says which.
    """

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Return the record that a mapping of its fields holds, whose values may be mappings in turn.

        Parameters
        ----------
        values
            By name of the field; names that are no field are left out.

        Raises
        ------
        msgspec.ValidationError
            If a value is missing or of another type; says where.
        """
        return msgspec.convert(_clean(values, cls.__name__), cls)

    def __post_init__(self) -> None:
        """Clean every field."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            cleaned = _clean(value, f"{type(self).__name__}.{name}")
            if cleaned is not value:
                msgspec.structs.force_setattr(self, name, cleaned)


def _clean(value: object, where: str) -> object:
    if value is None or isinstance(value, bool | enum.Enum | Entry):
        return value
    if isinstance(value, str):
        return without_credentials(_UNSHOWABLE.sub("\ufffd", value))
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_clean(str(key), where): _clean(entry, f"{where}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        cleaned = [_clean(entry, f"{where}[{position}]") for position, entry in enumerate(value)]
        return cleaned if isinstance(value, list) else tuple(cleaned)
    msg = f"{where} is a {type(value).__name__}; a record holds what JSON can hold"
    raise TypeError(msg)
