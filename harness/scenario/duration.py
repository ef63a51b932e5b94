"""Durations as files write them: `500ms`, `30s`, `2m`."""

from __future__ import annotations

import re
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

PATTERN = r"^[0-9]+(\.[0-9]+)?(ms|s|m)$"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class Duration(str):
    """A duration as written; `.seconds` is its value."""

    __slots__ = ()

    def __new__(cls, text: str) -> Duration:
        """Raise ValueError when the text is no duration."""
        if not isinstance(text, str) or not re.fullmatch(PATTERN, text):
            raise ValueError(f"{text!r} is no duration: write a number with ms, s or m, such as 30s")
        return super().__new__(cls, text)

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        number, unit = re.match(r"([\d.]+)(\w+)", self).groups()  # type: ignore[union-attr]
        return float(number) * _SECONDS[unit]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by the constructor."""
        return core_schema.no_info_plain_validator_function(cls, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the form to editors."""
        return {"type": "string", "pattern": PATTERN, "examples": ["500ms", "30s", "2m"]}
