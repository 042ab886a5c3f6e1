"""The folders on the server from which pages may read images."""

import os
from pathlib import Path

from se_viz.data.folders import holds_image, subfolders
from se_viz.data.split_names import meaning

DATA = "SE_VIZ_DATA"


def allowed() -> dict[str, Path]:
    """Return the folders that may be read, and their splits; for a folder with splits, only one would be read."""
    listed = [Path(part) for part in os.environ.get(DATA, "").split(os.pathsep) if part]
    existing = [path for path in listed if path.exists()]
    named = [path / name for path in existing if path.is_dir() for name in subfolders(path) if meaning(name)]
    split = [path for path in named if holds_image(path, below=True)]
    return {str(path): path for path in (*existing, *split)}
