"""Former names, in files, settings, links and the library: they are still read, but only the new names are written."""

import warnings
from collections.abc import Mapping
from typing import TypeVar

FORMAT = "se-viz-atlas"  # format name in a file of class profiles
FILE = "atlas.safetensors"  # file in a folder that ``profile`` wrote
FOLDER = "atlases"  # folder in the cache directory
VARIABLE = "SE_VIZ_ATLASES"  # environment variable: folder of the class profiles that the page makes
CAPTURES_LIMIT = "SE_VIZ_READINGS_LIMIT"  # environment variable: bytes of captures that sessions share
PARAMETER = "atlas"  # URL parameter of the Classes page
# URL parameters of the Classes page, with the folder of the user's class profiles: ``one_photos``. Intervene has an
# ``other``, too.
CLASSES = {"class_a": "one", "class_b": "other"}
GATES = ("faceoff_gate", "class_gate", "yours_gate")  # URL parameters of the Classes page
OVERLAID = "over the picture"  # value of the URL parameter ``shown`` of the Inspect page
# URL parameters by page, and the tab that holds their choices: links were made before there were tabs.
TABS: Mapping[str, Mapping[str, str]] = {
    "inspect": dict.fromkeys(("by", "shown", "channels"), "Maps"),
    "classes": {
        **dict.fromkeys(("one", "other", "faceoff_gate"), "A against B"),
        "yours_gate": "Your images",
        **dict.fromkeys(("band", "class_gate"), "Figure 7"),
        **dict.fromkeys(("classes", "drawn", *(f"class_stage{stage}" for stage in range(1, 10))), "Figure 6"),
    },
    "reduction": {
        **dict.fromkeys(("gate_by_ratio", "order_by_ratio"), "Your images"),
        **dict.fromkeys(("network", "ratio", "last"), "Cost"),
    },
}
_API = {"Atlas": "ClassProfiles", "open_atlas": "open_profiles", "Reading": "GateCapture"}
_FIELDS = {
    "InputImage": {"image": "rgb"},
    "Intake": {"pictures": "images"},
    "GateProfile": {"outside": "clipped"},
    "Capture": {"readings": "gates"},
    "Cost": {"kept": "totals"},
    "Gate": {"function": "gate_function", "proof": "found_by"},
    "Model": {"as_published": "reference"},
}

Class = TypeVar("Class")


def of_classes(query: Mapping[str, str]) -> dict[str, str]:
    """Return the two classes of a link by their current names; empty if it has none by a former name."""
    found = {}
    for name, former in CLASSES.items():
        if key := key_in_link(former, query):
            found[name] = query[key]
    return found if "class_a" in found else {}


def key_in_link(former: str, query: Mapping[str, str]) -> str:
    """Return the URL parameter with this former name, or with it and the folder of class profiles; "" without one."""
    return next((key for key in query if key == former or key.startswith(f"{former}_")), "")


def current(name: str) -> str:
    """Return the current name for a name of ``se_viz``; issue a DeprecationWarning if it is a former one."""
    if name not in _API:
        return name
    _warn(f"se_viz.{name}", f"se_viz.{_API[name]}", stacklevel=4)
    return _API[name]


def with_former_fields(owner: type[Class]) -> type[Class]:
    """Add the former names of a class's fields and methods to it; each use issues a DeprecationWarning."""
    for former, name in _FIELDS[owner.__name__].items():
        setattr(owner, former, _field(owner.__name__, former, name))
    return owner


def _field(owner: str, former: str, name: str) -> property:
    def read(instance: object) -> object:
        _warn(f"{owner}.{former}", f"{owner}.{name}", stacklevel=3)
        return getattr(instance, name)

    return property(read, doc=f"Former name of ``{name}``.")


def _warn(former: str, name: str, stacklevel: int) -> None:
    warnings.warn(f"{former} is now {name}.", DeprecationWarning, stacklevel=stacklevel)
