"""Names of before: what carries them is still read, and all that is written has the new ones."""

import warnings
from typing import TypeVar

FORMAT = "se-viz-atlas"  # of a file of class profiles
FILE = "atlas.safetensors"  # in the folder that ``profile`` wrote
FOLDER = "atlases"  # in the cache directory
VARIABLE = "SE_VIZ_ATLASES"  # the folder of the page's own class profiles
PARAMETER = "atlas"  # of a link to the Classes page
OVERLAID = "over the picture"  # value of ``shown`` in a link to the Inspect page
_API = {"Atlas": "ClassProfiles", "open_atlas": "open_profiles"}
_FIELDS = {
    "InputImage": {"image": "rgb"},
    "Intake": {"pictures": "images"},
    "GateProfile": {"outside": "clipped"},
}

Class = TypeVar("Class")


def current(name: str) -> str:
    """Return the name that a name of ``se_viz`` has today, with a DeprecationWarning if it had another."""
    if name not in _API:
        return name
    _warn(f"se_viz.{name}", f"se_viz.{_API[name]}", stacklevel=4)
    return _API[name]


def with_former_fields(owner: type[Class]) -> type[Class]:
    """Give a class its fields by the names of before, too, each with a DeprecationWarning."""
    for former, name in _FIELDS[owner.__name__].items():
        setattr(owner, former, _field(owner.__name__, former, name))
    return owner


def _field(owner: str, former: str, name: str) -> property:
    def read(of: object) -> object:
        _warn(f"{owner}.{former}", f"{owner}.{name}", stacklevel=3)
        return getattr(of, name)

    return property(read, doc=f"``{name}`` by its name of before.")


def _warn(former: str, name: str, stacklevel: int) -> None:
    warnings.warn(f"{former} is now {name}.", DeprecationWarning, stacklevel=stacklevel)
