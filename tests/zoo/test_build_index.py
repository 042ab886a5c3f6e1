import dataclasses

import pytest

from se_viz.zoo import build_index, gate_index
from se_viz.zoo.gate_index import ArchitectureRow

# Each tells something else: a gate of each library and of several classes, several classes in one network, what only
# looks like a gate, and nothing at all.
SAMPLE = [
    "timm/test_efficientnet",
    "timm/legacy_seresnet18",
    "timm/seresnext26ts",
    "timm/ecaresnet26t",
    "timm/ghostnetv2_100",
    "timm/gcresnext26ts",
    "timm/skresnet18",
    "timm/convnextv2_atto",
    "timm/resnet18",
    "torchvision/mobilenet_v3_small",
]


def found(name):
    row = build_index.sketch(name, gate_index.bundled_gates()[name].weights)
    return row if row.seconds is not None else build_index.verify_architecture(row)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_the_table_says_what_is_found(name):
    shipped = gate_index.bundled_gates()[name]
    assert dataclasses.replace(found(name), seconds=shipped.seconds) == shipped


@pytest.mark.slow
def test_what_is_no_gate_is_listed_with_the_reason():
    assert "softmax" in found("timm/skresnet18").note
    assert "each channel and pixel" in found("timm/ghostnetv2_100").note
    assert found("timm/ghostnetv2_100").gates > 0
    assert found("timm/resnet18") == ArchitectureRow(
        "timm/resnet18", "resnet", gate_index.bundled_gates()["timm/resnet18"].weights, 11_689_512, 0, (), 0, 0.0
    )


@pytest.mark.slow
def test_a_run_that_was_ended_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "gates.csv"
    names = ["timm/test_efficientnet", "torchvision/mobilenet_v3_small", "torchvision/resnet18"]
    monkeypatch.setattr(build_index.libraries, "architectures", lambda: dict.fromkeys(names, ("a", "b")))

    class Ended(Exception):
        pass

    def end(_row):
        raise Ended

    with pytest.raises(Ended):
        build_index.discover(path, lambda _name: True, end)
    verified = []
    monkeypatch.setattr(build_index, "sketch", None)
    build_index.discover(path, lambda _name: True, verified.append)
    assert {row.model for row in verified} == set(names[:2])
    rows = gate_index.read(path)
    assert list(rows) == names
    assert [row.gates for row in rows.values()] == [2, 9, 0]
    assert all(row.weights == ("a", "b") and row.seconds is not None for row in rows.values())


def test_a_network_that_is_too_large_is_left_at_its_sketch():
    row = build_index.verify_architecture(build_index.sketch("torchvision/mobilenet_v3_small"), largest=1000)
    assert (row.gates, row.seconds) == (9, None)
    assert "too large" in row.note
