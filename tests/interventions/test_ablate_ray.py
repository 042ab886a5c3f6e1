"""An ablation by two workers of a Ray cluster, against the local one."""

import os
from pathlib import Path

import pytest
from support.ablations import CLASSES, SETTINGS, make_images, tiny

from se_viz.interventions.ablate import ablate
from se_viz.interventions.edits import shuffle
from se_viz.profiles.engine import RayEngine


@pytest.fixture(scope="module")
def cluster():
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # The workers load the small network by its name.
        places = [*map(str, (Path(__file__).parents[1], Path(__file__).parents[2])), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
        ray.init("local", num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.mark.slow
def test_two_workers_give_the_same_bytes(cluster, tmp_path):
    photos, model = make_images(tmp_path / "photos", CLASSES, count=7), tiny(classes=CLASSES)
    (photos / "green" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    edits = {"SE_1_1": [1.0, shuffle()], "all": [shuffle(), 0.5], "some": {"SE_2_1": {0: 0.0, 3: 1.0}}}
    told = []
    ablate(
        model,
        photos,
        tmp_path / "ray",
        edits=edits,
        engine=RayEngine(workers=2),
        report=lambda *done: told.append(done),
        **SETTINGS,
    )
    ablate(model, photos, tmp_path / "local", edits=edits, **SETTINGS)
    assert told[-1] == (21, 21)
    local, ray = ((tmp_path / engine / "ablation.json").read_bytes() for engine in ("local", "ray"))
    assert ray == local
    assert [path.name for path in (tmp_path / "ray").iterdir()] == ["ablation.json"]
