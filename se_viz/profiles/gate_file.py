"""The arrays of one gate in a file of class profiles, read in slices; an error explains an array that is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from se_viz.profiles.errors import NotInProfiles
from se_viz.profiles.metadata import GateEntry
from se_viz.profiles.safetensors_io import Index, Tensors
from se_viz.types import Array

_CALLED = {
    "z_mean": "z",
    "z_m2": "z",
    "z_range": "z",
    "outside": "count of s outside the range",
    "examples": "example images",
    "s": "single images' s",
}


@dataclass(frozen=True, slots=True)
class GateFile:
    """The arrays of one gate in a file of class profiles.

    Attributes:
        path, tensors: the file.
        entry: the gate.
        form: whether the file is exact or compact.
    """

    path: Path
    tensors: Tensors
    entry: GateEntry
    form: Literal["exact", "compact"]

    def __contains__(self, what: object) -> bool:
        return f"{self.entry.name}.{what}" in self.tensors

    def read(self, what: str, *at: Index) -> Array:
        """Return a slice of an array, named by the last part of its name; the whole array without ``at``.

        Raises:
            NotInProfiles: the file does not have the array; the message says why and what to do.
        """
        if what not in self:
            raise NotInProfiles(f"{self.path} has no {self._missing(what)}")
        # safetensors accepts Python integers only, not NumPy's.
        index: Sequence[Index] = [i if isinstance(i, slice) else int(i) for i in at] or [slice(None)]
        return np.asarray(self.tensors[f"{self.entry.name}.{what}"][tuple(index)])

    def _missing(self, what: str) -> str:
        called = _CALLED.get(what, what)
        if called == "z" and self.form == "exact":
            return f"z of {self.entry.name}: no squeeze descriptor was found in this gate, so it has only s."
        how = "they were made without --images" if self.form == "exact" else "they are compact"
        remedy = "with `python -m se_viz profile" + (" --images`" if what == "s" else "`")
        return f"{called}, because {how}. Make the class profiles again {remedy}."
