"""Actions on Kubernetes objects: apply, patch, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightkube import ApiError
from pydantic import model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ..errors import UsageError
from .base import Action

if TYPE_CHECKING:
    from ..lab import Lab


class Apply(Action):
    """Apply manifests, inline or from a file, as `kubectl apply --server-side` does.

    A Service of type LoadBalancer gets the annotations of the variant under test and of the neutral options.
    """

    manifest: dict[str, Any] | None = None
    """One object."""
    manifests: list[dict[str, Any]] = []
    """Several objects, applied in this order."""
    file: str | None = None
    """A YAML file of objects, relative to the scenario file."""
    load_balancer: dict[str, Any] = {}
    """Neutral options of load balancers, such as `internal: true`; each cloud translates them to its annotations."""

    @model_validator(mode="after")
    def _one_source(self) -> Apply:
        if sum(map(bool, (self.manifest, self.manifests, self.file))) != 1:
            raise ValueError("give one of manifest, manifests and file")
        return self

    def tell(self) -> str:
        """Name the objects."""
        given = [self.manifest] if self.manifest else self.manifests
        return self.file or ", ".join(f"{item.get('kind')} {item.get('metadata', {}).get('name')}" for item in given)

    def perform(self, lab: Lab) -> None:
        """Apply every object."""
        given = [self.manifest] if self.manifest else list(self.manifests) or self._read(lab)
        for item in given:
            _apply(lab, self._annotated(lab, lab.expand_words(item)))

    def _read(self, lab: Lab) -> list[dict[str, Any]]:
        path = lab.manifests_folder / str(self.file)
        try:
            items = [item for item in YAML(typ="safe").load_all(path.read_text()) if item]
        except OSError as error:
            raise UsageError(f"cannot read manifest file {path}: {error.strerror}") from None
        except (YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"manifest file {path} is not valid YAML: {error}") from None
        if not all(isinstance(item, dict) for item in items):
            raise UsageError(
                f"manifest file {path} holds something other than objects: write mappings with apiVersion and kind"
            )
        return items

    def _annotated(self, lab: Lab, item: dict[str, Any]) -> dict[str, Any]:
        if item.get("kind") != "Service" or item.get("spec", {}).get("type") != "LoadBalancer" or lab.variant is None:
            return item
        try:
            annotations = lab.cloud.service_annotations(lab.variant, self.load_balancer)
        except ValueError as error:
            raise UsageError(f"loadBalancer: {error}") from None
        metadata = dict(item["metadata"])
        metadata["annotations"] = {**annotations, **metadata.get("annotations", {})}
        return {**item, "metadata": metadata}


class Patch(Action):
    """Change fields of an object (JSON merge patch: null deletes a field, lists are replaced whole)."""

    api_version: str = "v1"
    """apiVersion."""
    kind: str
    """Kind."""
    name: str
    """`namespace/name`, a name in `default`, or for a Node its alias."""
    change: dict[str, Any]
    """The fields to change."""

    def perform(self, lab: Lab) -> None:
        """Patch the object."""
        name = lab.node_name(self.name) if self.kind == "Node" else self.name
        try:
            lab.kube.patch(self.api_version, self.kind, name, self.change)
        except ApiError as error:
            raise UsageError(f"the API server refused the patch of {self.kind} {self.name}: {error}") from None


class Delete(Action):
    """Delete an object."""

    api_version: str = "v1"
    """apiVersion."""
    kind: str
    """Kind."""
    name: str
    """`namespace/name`, or a name in `default`. For nodes use deleteNode."""

    def perform(self, lab: Lab) -> None:
        """Delete the object; it must exist."""
        if not lab.kube.delete(self.api_version, self.kind, self.name):
            raise UsageError(f"there is no {self.kind} {self.name!r} to delete")


def _apply(lab: Lab, item: dict[str, Any]) -> None:
    """Apply one object; raises UsageError with the API server's words when it refuses."""
    try:
        lab.kube.apply(item)
    except ApiError as error:
        name = item.get("metadata", {}).get("name")
        raise UsageError(f"the API server refused {item.get('kind')} {name!r}: {error}") from None
    except KeyError as error:
        raise UsageError(f"a manifest has no {error.args[0]!r}: {item}") from None
