"""Reading YAML: every problem at once, each with file, line and a suggestion."""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from ..errors import UsageError

Location = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file."""

    path: Path
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `path:line: message (hint)`, as compilers print it."""
        return f"{self.path}:{self.line}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class DocumentError(UsageError):
    """A YAML file is wrong: every problem, one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (str(problem.path), problem.line)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain data that remembers its lines."""

    path: Path
    data: Any
    source: Any
    """The data with positions; the same object, or what `data` was made from."""

    def line(self, location: Location) -> int:
        """Return the line (from 1) of the deepest part of a location that the file has."""
        return _line(self.source, location)

    def replaced(self, data: Any) -> Document:
        """Return the document with other data and the same lines."""
        return Document(self.path, data, self.source)

    def validate(self, model: type[ModelT]) -> ModelT:
        """Return the data as a model; raises DocumentError with every problem."""
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise DocumentError([self._problem(model, detail) for detail in error.errors()]) from None

    def problem(self, location: Location, message: str, hint: str = "") -> Problem:
        """Return a problem at a location."""
        return Problem(self.path, self.line(location), message, hint)

    def _problem(self, model: type[BaseModel], detail: Any) -> Problem:
        location = self._without_tags(detail["loc"], detail["type"] in ("missing", "invalid_key"))
        where = ".".join(str(part) for part in location) or "file"
        if detail["type"] == "extra_forbidden":
            known = _known_keys(model, location[:-1])
            near = difflib.get_close_matches(str(location[-1]), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known) or 'none'}"
            return self.problem(location, f"unknown key {location[-1]!r}", hint)
        if detail["type"] == "missing":
            return self.problem(location[:-1], f"{where} is required")
        given = detail.get("input")
        shown = f", got {given!r}" if isinstance(given, str | int | float | bool) or given is None else ""
        message = detail["msg"].removeprefix("Value error, ")
        return self.problem(location, f"{where}: {message}{shown if repr(given) not in message else ''}")

    def _without_tags(self, location: Location, ends_outside: bool) -> Location:
        """Return a location without what pydantic puts in for a member of a union: keys and indexes alone.

        `ends_outside` says that its last part is a key that the data has not.
        """
        kept: list[str | int] = []
        node = self.data
        for number, part in enumerate(location, start=1):
            inside = isinstance(part, int) if isinstance(node, list) else isinstance(node, dict) and part in node
            if inside:
                node = node[part]
            if inside or (ends_outside and number == len(location)):
                kept.append(part)
        return tuple(kept)


def read_document(path: Path) -> Document:
    """Read one YAML 1.2 document; raises DocumentError for a syntax error or a key given twice."""
    try:
        source = YAML(typ="rt").load(io.StringIO(path.read_text()))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        said = ", ".join(filter(None, [error.context, error.problem]))
        raise DocumentError([Problem(path, line, f"not valid YAML: {said}")]) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise DocumentError([Problem(path, 1, f"not valid YAML: {error}")]) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    return Document(path, _plain(source), source)


def substitute(data: Any, replace: Callable[[str], Any]) -> Any:
    """Return the data with every string (keys too) passed through `replace`."""
    if isinstance(data, dict):
        return {
            str(replace(key)) if isinstance(key, str) else key: substitute(value, replace)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [substitute(value, replace) for value in data]
    return replace(data) if isinstance(data, str) else data


def _plain(node: Any) -> Any:
    if isinstance(node, CommentedMap):
        return {str(key) if not isinstance(key, int) else key: _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    if isinstance(node, str):
        return str(node)
    if isinstance(node, ScalarBoolean):  # one with an anchor
        return bool(node)
    if isinstance(node, bool) or node is None:
        return node
    if isinstance(node, int):
        return int(node)
    return float(node) if isinstance(node, float) else node


def _line(node: Any, location: Location) -> int:
    line = getattr(getattr(node, "lc", None), "line", 0) or 0
    for part in location:
        if isinstance(node, CommentedMap) and part in node:
            if part in node.lc.data:  # else it comes from a merge key, `<<: *other`
                line = node.lc.key(part)[0]
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0]
        else:
            break
        node = node[part]
    return line + 1


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that a model allows at a location."""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = next((field for name, field in current.model_fields.items() if part in (name, field.alias)), None)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        current = inner
    return sorted(field.alias or name for name, field in current.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model_in(argument))), None)
