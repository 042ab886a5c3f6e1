"""SE Viz: look inside Squeeze-and-Excitation networks.

    model = se_viz.load("demo/r16")
    capture = se_viz.capture(model, images)
    capture["SE_5_2"].s  # excitation weights (N, C)
    profiles = se_viz.profile(model, "photos/", out="profiles/")
    profiles["SE_5_2"].s("cat").mean  # mean s over the images in photos/cat/ (C,)

Names are imported at their first use, so that ``import se_viz`` does not import torch; __init__.pyi lists them.
"""

import lazy_loader

from se_viz import former_names

_resolve, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    return _resolve(former_names.current(name))
