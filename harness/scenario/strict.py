"""The base of everything that is read from YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


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
