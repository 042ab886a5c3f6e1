"""The page, with one release of timm's lying on a server of the tests instead of GitHub."""

import dataclasses
import os

from timm.models import _registry as registry

from se_viz.ui.app import run

NAME = "legacy_seresnet50.in1k"

registry._model_pretrained_cfgs[NAME] = dataclasses.replace(
    registry._model_pretrained_cfgs[NAME], url=os.environ["SE_VIZ_TEST_RELEASE"]
)
run()
