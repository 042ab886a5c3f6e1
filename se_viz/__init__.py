"""SE Viz: look inside channel attention.

    model = se_viz.load("demo/r16")
    reading = se_viz.capture(model, images)
    reading["SE_5_2"].s  # excitation weights (N, C)
    atlas = se_viz.profile(model, "photos/", out="atlas/")
    atlas["SE_5_2"].s("cat").mean  # of the photos in photos/cat/ (C,)

Names are imported when they are first used, so that ``import se_viz`` does not wait for torch; __init__.pyi lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
