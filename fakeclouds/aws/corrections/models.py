"""How a correction gives one of moto's models another behaviour.

moto makes its models by name inside its backends and offers no factory, so a model is given its corrected class right
after moto made it; it stays the same object in all the places where moto keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Corrected = TypeVar("Corrected")


def corrects(model: type[object]) -> Callable[[type[Corrected]], type[Corrected]]:
    """Class decorator: this subclass of one of moto's models answers to the model's own name.

    moto's serializer strips the class name from field names (`LoadBalancerName` is `name` of a `LoadBalancer`), so
    under another name fields would be missing from replies. TypeError: it is no subclass.
    """

    def name(corrected: type[Corrected]) -> type[Corrected]:
        if not issubclass(corrected, model):
            raise TypeError(f"{corrected.__name__} is no kind of {model.__name__}")
        corrected.__name__ = model.__name__
        return corrected

    return name


def retype(model: object, corrected: type[Any]) -> Any:
    """Turn a model of moto into a corrected subclass of its own class, and return it. TypeError: not that class."""
    if not isinstance(model, corrected):
        if not issubclass(corrected, type(model)) or corrected.__name__ != type(model).__name__:
            raise TypeError(f"{corrected.__qualname__} does not correct {type(model).__qualname__}")
        model.__class__ = corrected
    return model
