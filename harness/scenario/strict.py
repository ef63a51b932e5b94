"""The base of everything that is read from YAML."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Feature = Literal["instances", "zones", "shutdown", "routes", "loadBalancers", "metadataFacts"]
"""What a cloud and its controller may have, and a scenario may need."""


class Strict(BaseModel):
    """Unknown keys are errors, nothing changes after reading, keys are lowerCamelCase as in Kubernetes.

    Class docstrings and field docstrings become the descriptions that editors show.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        alias_generator=to_camel,
        populate_by_name=False,
    )
