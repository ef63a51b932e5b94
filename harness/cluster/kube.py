"""A Kubernetes client that speaks plain objects (dicts as YAML has them), over lightkube.

Objects keep every field they were written with: a manifest's typing error reaches the API server, which refuses it,
instead of being dropped by a typed model.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from lightkube import ApiError, Client, KubeConfig
from lightkube.config.models import Cluster, User
from lightkube.core.exceptions import LoadResourceError
from lightkube.core.resource import NamespacedResource
from lightkube.core.resource_registry import resource_registry
from lightkube.generic_resource import (
    GenericGlobalResource,
    GenericGlobalStatus,
    GenericNamespacedResource,
    GenericNamespacedStatus,
)
from lightkube.types import OnErrorAction, OnErrorResult, PatchType

from ..errors import UsageError

Object = dict[str, Any]
AfterWrite = Callable[[str, str, str, str | None], None]
"""Told of every write: apiVersion, kind, name, and the new resourceVersion (None for a deletion)."""
FIELD_MANAGER = "cloud-provider-harness"


def object_name(item: Mapping[str, Any]) -> str:
    """Return `namespace/name`, or the name alone for a cluster-scoped object."""
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def split_name(name: str) -> tuple[str, str]:
    """Split `namespace/name` into its parts; a bare name is in `default`."""
    namespace, _, bare = name.rpartition("/")
    return namespace or "default", bare


@cache
def _resource(api_version: str, kind: str) -> tuple[type[Any], bool]:
    """Return a class that carries plain dicts for a kind that Kubernetes has, and whether it is namespaced.

    lightkube's own typed class says where the kind lives (its plural, scope and status path); the generic base keeps
    the object as it is.
    """
    try:
        typed = resource_registry.load(api_version, kind)
    except (LoadResourceError, ModuleNotFoundError) as error:
        raise UsageError(f"Kubernetes has no kind {kind!r} in apiVersion {api_version!r}") from error
    namespaced = issubclass(typed, NamespacedResource)
    base, status_base = (
        (GenericNamespacedResource, GenericNamespacedStatus)
        if namespaced
        else (GenericGlobalResource, GenericGlobalStatus)
    )
    members: dict[str, Any] = {"_api_info": typed._api_info}
    if hasattr(typed, "Status"):
        members["Status"] = type(f"{kind}Status", (status_base,), {"_api_info": typed.Status._api_info})
    return type(kind, (base,), members), namespaced


class Kube:
    """A client of one API server, as one user."""

    def __init__(
        self, server: str, tls: ssl.SSLContext, *, socket: Path | None = None, timeout_s: float = 30.0
    ) -> None:
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=16)
        transport = httpx2.HTTPTransport(verify=tls, uds=str(socket) if socket else None, limits=limits)
        config = KubeConfig.from_one(cluster=Cluster(server=server), user=User())
        # Typed by overloads that classes made at run time cannot meet.
        self._client: Any = Client(
            config=config,
            transport=transport,
            trust_env=False,
            timeout=httpx2.Timeout(timeout_s),
            field_manager=FIELD_MANAGER,
        )

        self.after_write: AfterWrite | None = None
        """Called when a write has been made, before it returns."""

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """Return an object, or None when there is none of that name."""
        resource, namespaced = _resource(api_version, kind)
        namespace, bare = split_name(name)
        try:
            found = (
                self._client.get(resource, bare, namespace=namespace)
                if namespaced
                else self._client.get(resource, bare)
            )
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise
        return plain(found)

    def create(self, item: Mapping[str, Any]) -> Object:
        """Create an object."""
        resource, namespaced = _resource(item["apiVersion"], item["kind"])
        body = resource(dict(item))
        namespace = item["metadata"].get("namespace", "default")
        made = self._client.create(body, namespace=namespace) if namespaced else self._client.create(body)
        return self._written(item["apiVersion"], item["kind"], plain(made))

    def apply(self, item: Mapping[str, Any]) -> Object:
        """Create or change an object by server-side apply, as `kubectl apply --server-side --force-conflicts` does."""
        resource, namespaced = _resource(item["apiVersion"], item["kind"])
        body = resource(dict(item))
        name = item["metadata"]["name"]
        place = {"namespace": item["metadata"].get("namespace", "default")} if namespaced else {}
        applied = self._client.patch(resource, name, body, patch_type=PatchType.APPLY, force=True, **place)
        return self._written(item["apiVersion"], item["kind"], plain(applied))

    def patch(
        self, api_version: str, kind: str, name: str, change: Mapping[str, Any], *, status: bool = False
    ) -> Object:
        """Merge a change into an object (JSON merge patch), or into its status."""
        resource, namespaced = _resource(api_version, kind)
        target = resource.Status if status else resource
        namespace, bare = split_name(name)
        place = {"namespace": namespace} if namespaced else {}
        patched = self._client.patch(target, bare, dict(change), patch_type=PatchType.MERGE, **place)
        return self._written(api_version, kind, plain(patched))

    def delete(self, api_version: str, kind: str, name: str, *, grace_period_s: int | None = None) -> bool:
        """Delete an object; return False when it was not there."""
        resource, namespaced = _resource(api_version, kind)
        namespace, bare = split_name(name)
        place = {"namespace": namespace} if namespaced else {}
        try:
            self._client.delete(resource, bare, grace_period=grace_period_s, **place)
        except ApiError as error:
            if error.status.code == 404:
                return False
            raise
        if self.after_write is not None:
            self.after_write(api_version, kind, name, None)
        return True

    def _written(self, api_version: str, kind: str, item: Object) -> Object:
        if self.after_write is not None:
            self.after_write(api_version, kind, object_name(item), item["metadata"]["resourceVersion"])
        return item

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Object:
        """Send a request that has no verb of its own here (token requests, bindings, raw paths)."""
        http = self._client._client._client
        answer = http.request(method, path, json=body)
        if answer.status_code >= 400:
            raise ApiError(request=answer.request, response=answer)
        found: Object = answer.json() if "json" in answer.headers.get("content-type", "") else {"text": answer.text}
        return found

    def watch(
        self, api_version: str, kind: str, resource_version: str, go_on: Callable[[], bool]
    ) -> Iterator[tuple[str, Object]]:
        """Yield (ADDED|MODIFIED|DELETED, object) from a version on, for as long as `go_on()` answers True."""
        resource, namespaced = _resource(api_version, kind)
        place = {"namespace": "*"} if namespaced else {}

        def on_error(error: Exception, count: int) -> OnErrorResult:
            return OnErrorResult(action=OnErrorAction.RETRY if go_on() else OnErrorAction.STOP, sleep=0.2)

        for change, item in self._client.watch(resource, resource_version=resource_version, on_error=on_error, **place):
            yield change, plain(item)

    def list_with_version(self, api_version: str, kind: str) -> tuple[list[Object], str]:
        """Return every object of a kind and the version at which a watch goes on."""
        resource, _ = _resource(api_version, kind)
        info = resource._api_info
        group = info.resource.group
        base = f"/apis/{group}/{info.resource.version}" if group else f"/api/{info.resource.version}"
        found = self.request("GET", f"{base}/{info.plural}")
        items = [{"apiVersion": api_version, "kind": kind, **item} for item in found["items"]]
        return items, found["metadata"]["resourceVersion"]


def plain(item: Any) -> Object:
    """Return a lightkube object as a plain dict."""
    found: Object = item.to_dict()
    return found
