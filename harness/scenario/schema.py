"""The JSON Schema of scenario files, by which editors complete and check while you type.

Made from the model alone. What needs more than one file's text (node names, what a matrix gives) only `lint` sees.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from .model import Scenario

SCHEMA_FILE = "scenario.schema.json"
"""Name of the committed schema, in the folder above the scenarios' topics."""
MODELINE = f"# yaml-language-server: $schema=../{SCHEMA_FILE}"
"""First line of a scenario file: tells an editor's YAML language server where the schema is."""

PLACEHOLDER = "Placeholder"
LITERAL_MODELS = ("Metadata", PLACEHOLDER)
"""Definitions in which no placeholder stands for a value."""


class _Generator(GenerateJsonSchema):
    """Leaves out what only clutters an editor: titles made of field names, and null as a way to say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No property has a title: its description says more than its name again."""
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Whoever means nothing leaves the key out."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Show a default only where it says something."""
        found = super().default_schema(schema)
        return found if found.get("default") else {key: value for key, value in found.items() if key != "default"}

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        """Return the whole schema, with the dialect that it is written in and `${name}` allowed for values."""
        found = super().generate(schema, mode)
        definitions: dict[str, Any] = found["$defs"]
        for name, definition in definitions.items():
            if name not in LITERAL_MODELS:
                properties = definition.get("properties", {})
                definition["properties"] = {key: _or_placeholder(value) for key, value in properties.items()}
        definitions[PLACEHOLDER] = {
            "description": "The present value of a parameter or of the matrix.",
            "type": "string",
            "pattern": r"\$\{\w+\}",
        }
        for description in _described(found):
            description["description"] = inspect.cleandoc(description["description"])
        return {"$schema": self.schema_dialect, **found}


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of scenario files."""
    return TypeAdapter(Scenario).json_schema(by_alias=True, schema_generator=_Generator)


def render() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n"


def _or_placeholder(schema: JsonSchemaValue) -> JsonSchemaValue:
    """Let `${name}` stand for a value that is no text already; operations and checks are written out."""
    is_structure = "$ref" in schema or "$ref" in schema.get("items", {})
    is_text = schema.get("type") == "string" and not schema.keys() & {"pattern", "enum", "const"}
    is_anything = not schema.keys() - {"description", "default"}
    if is_structure or is_text or is_anything:
        return schema
    about = {key: schema[key] for key in ("description", "default") if key in schema}
    value = {key: item for key, item in schema.items() if key not in about}
    choices = value["anyOf"] if value.keys() == {"anyOf"} else [value]
    return about | {"anyOf": [*choices, {"$ref": f"#/$defs/{PLACEHOLDER}"}]}


def _described(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield schema
        for item in schema.values():
            yield from _described(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from _described(item)
