"""An ablation by two workers of a Ray cluster, against the local one."""

import pytest
from support.ablations import CLASSES, SETTINGS, make_images, tiny

from se_viz.interventions.ablate import ablate
from se_viz.interventions.edits import shuffle
from se_viz.profiles.engine import RayEngine


@pytest.mark.exhaustive  # class profiles go the same way, see tests/profiles/test_ray_cluster.py
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
