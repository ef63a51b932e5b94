"""The scenario file as a model: strict, frozen, and the source of the JSON Schema."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from ..actions import ACTIONS, Action
from ..actions.objects import Patch
from ..checks import CHECKS, Check, key_of
from ..checks.calls import ObjectMatches
from ..checks.services import LoadBalancerMatches
from .duration import Duration
from .load import Document, DocumentError, Problem, read_document, substitute
from .strict import Feature, Strict
from .topology import Topology

API_VERSION = "harness/v1alpha1"


class OneKey(Strict):
    """A mapping with exactly one of its keys (beside `name`)."""

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, data: Any) -> Any:
        known = set(cls._keys())
        if not isinstance(data, dict):
            raise ValueError(f"write one of: {', '.join(sorted(known))}")
        given = [key for key in data if key in known]
        if len(given) > 1 or (not given and set(data) <= {"name"}):
            raise ValueError(
                f"one operation a step: {', '.join(given) or 'none'} given; known: {', '.join(sorted(known))}"
            )
        if given and data[given[0]] is None:
            raise ValueError(f"{given[0]} has no value: write {given[0]}: {{}} when it needs none")
        return data

    @classmethod
    def _keys(cls) -> list[str]:
        return [field.alias or name for name, field in cls.model_fields.items() if name != "name"]

    @property
    def chosen(self) -> tuple[str, Any]:
        """The key that is given and its value."""
        return next(
            (field.alias or name, value)
            for name, field in type(self).model_fields.items()
            if name != "name" and (value := getattr(self, name)) is not None
        )


def one_of(name: str, doc: str, base: type[OneKey], choices: Sequence[tuple[str, type]]) -> type[OneKey]:
    """Return a model of a mapping with exactly one of the choices' keys."""
    fields: dict[str, Any] = {
        f"op_{key}": (choice | None, Field(default=None, alias=key, description=choice.__doc__))
        for key, choice in choices
    }
    model = create_model(name, __base__=base, __doc__=doc, **fields)
    model.model_config["json_schema_extra"] = {"oneOf": [{"required": [key]} for key, _ in choices]}
    model.model_rebuild(force=True)
    return model


if TYPE_CHECKING:
    CheckEntry = OneKey
else:
    CheckEntry = one_of("CheckEntry", "One check.", OneKey, [(key_of(check), check) for check in CHECKS])


class Eventually(Strict):
    """Wait until every check is met at once."""

    within: Duration = Duration("30s")
    """Bound."""
    checks: list[CheckEntry] = Field(min_length=1)
    """The checks."""


class Hold(Strict):
    """For a time, every check must be met whenever anything changes."""

    for_: Duration = Field(alias="for")
    """How long."""
    checks: list[CheckEntry] = Field(min_length=1)
    """The checks."""


class Always(Strict):
    """From this step to the last, every check must be met whenever anything changes."""

    checks: list[CheckEntry] = Field(min_length=1)
    """The checks."""


class Budget(Strict):
    """From this step to the last, the controller may call an operation this often at most."""

    operation: str
    """Operation as the cloud names it, with wildcards: `elb*:Create*`."""
    at_most: int = Field(ge=0)
    """How often."""


class NamedStep(OneKey):
    """A step with a name for reports."""

    name: str | None = None
    """What the step is for; shown in reports."""


ENGINE_STEPS: tuple[tuple[str, type[Strict]], ...] = (
    ("always", Always),
    ("budget", Budget),
    ("eventually", Eventually),
    ("hold", Hold),
)
"""Steps that are no actions: the engine waits and judges."""

if TYPE_CHECKING:
    Step = NamedStep
else:
    Step = one_of("Step", "One step: exactly one operation.", NamedStep, [*ACTIONS, *ENGINE_STEPS])


class ControllerSettings(Strict):
    """How the controller under test is started."""

    facts_from: Literal["config", "metadata"] = "config"
    """Whether its cloud config names network, subnet and zone, or the instance metadata service has to tell."""
    started: bool = True
    """Whether it runs from the start; otherwise the first restartController starts it."""


class Spec(Strict):
    """What happens, and what must come of it."""

    behaviour: Annotated[str, Field(pattern=r"^[A-Z]\d+$")]
    """Number of the behaviour in the conformance list, such as N1 or L7."""
    features: list[Feature] = []
    """What the cloud and its controller must have."""
    variants: list[str] | None = None
    """Kinds of load balancer it is about; all that the cloud has by default."""
    topology: Topology = Topology()
    """Nodes at the start."""
    controller: ControllerSettings = ControllerSettings()
    """The controller under test."""
    parameters: dict[str, Any] = {}
    """Values that `${name}` stands for."""
    matrix: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    """Values to run the scenario with, one run for each combination; `${name}` stands for the present one."""
    steps: list[Step] = Field(min_length=1)
    """What happens, in order."""


class Metadata(Strict):
    """Name and purpose."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name, as file names are: lower case and dashes."""
    description: str
    """One sentence: what must hold, as a user of Kubernetes would say it."""


class Scenario(Strict):
    """One behaviour that a cloud provider must show."""

    api_version: Literal["harness/v1alpha1"]
    """Version of this format."""
    kind: Literal["Scenario"]
    """Always Scenario."""
    metadata: Metadata
    """Name and purpose."""
    spec: Spec
    """The scenario."""

    @property
    def is_about_load_balancers(self) -> bool:
        """Whether it runs once for each kind of load balancer."""
        return "loadBalancers" in self.spec.features


def load_scenarios(path: Path) -> list[tuple[str, Scenario]]:
    """Return the file's scenario once for each combination of its matrix, with a label for it ("" for one).

    Raises DocumentError with every problem of the file.
    """
    document = read_document(path)
    scenarios: list[tuple[str, Scenario]] = []
    problems: list[Problem] = []
    for label, values in _combinations(document):
        try:
            scenarios.append((label, _load_one(document, values)))
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise DocumentError(list(dict.fromkeys(problems)))
    return scenarios


def is_scenario_file(path: Path) -> bool:
    """Whether a file says that it is a scenario, or is of this format and does not say of which kind."""
    text = path.read_text(errors="replace")
    kind = re.search(r"^kind:\s*[\"']?(\w+)", text, re.MULTILINE)
    return kind[1] == "Scenario" if kind else "apiVersion: harness/" in text


def _combinations(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    spec = document.data.get("spec") if isinstance(document.data, dict) else None
    spec = spec if isinstance(spec, dict) else {}
    parameters, matrix = (found if isinstance(found := spec.get(key), dict) else {} for key in ("parameters", "matrix"))
    axes = [
        [(name, value) for value in values] for name, values in matrix.items() if isinstance(values, list) and values
    ]
    for chosen in itertools.product(*axes):
        yield "-".join(str(value) for _, value in chosen), {**parameters, **dict(chosen)}


def _load_one(document: Document, values: dict[str, Any]) -> Scenario:
    problems: list[Problem] = []

    def replace(text: str) -> Any:
        whole = re.fullmatch(r"\$\{(\w+)\}", text)
        if whole and whole[1] in values:
            return values[whole[1]]
        return re.sub(r"\$\{(\w+)\}", lambda match: str(values.get(match[1], match[0])), text)

    if not isinstance(document.data, dict):
        raise DocumentError([document.problem((), "a scenario is a mapping with apiVersion, kind, metadata and spec")])
    data = substitute(document.data, replace)
    scenario = document.replaced(data).validate(Scenario)
    problems += _unknown_nodes(document, scenario)
    if problems:
        raise DocumentError(problems)
    return scenario


def _unknown_nodes(document: Document, scenario: Scenario) -> Iterator[Problem]:
    """Say which steps name a node that neither the topology nor an earlier addNode has."""
    known = {node.name for node in scenario.spec.topology.node_specs}
    for number, step in enumerate(scenario.spec.steps):
        key, operation = step.chosen
        if key == "addNode":
            known.add(operation.name)
        used = (
            [operation]
            if isinstance(operation, Action)
            else [entry.chosen[1] for entry in getattr(operation, "checks", [])]
        )
        for node in (node for item in used for node in _nodes_named(item) if node not in known):
            yield document.problem(
                ("spec", "steps", number),
                f"no node {node!r} at this step",
                f"known: {', '.join(sorted(known))}",
            )


def _nodes_named(item: Any) -> Iterator[str]:
    """Yield the aliases of nodes that an action or a check speaks of."""
    if isinstance(node := getattr(item, "node", None), str) and node != "all":
        yield node
    if isinstance(item, Patch | ObjectMatches) and item.kind == "Node":
        yield item.name
    if isinstance(item, LoadBalancerMatches):
        yield from item.backends or ()


__all__ = ["Check", "Scenario", "is_scenario_file", "load_scenarios"]
