import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from timm.layers import EcaModule
from torch import nn

from se_viz.data.preprocess import Preprocess
from se_viz.figures.provenance import Provenance
from se_viz.model.model import Model
from se_viz.reports.tables import capture_table, gates_table, maps_bytes, table_bytes, with_source, without_z

NAMES = ["a.jpg", "b, with comma.jpg", "c", "d", "ü"]


@pytest.mark.parametrize(("kind", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_files_hold_every_value_of_every_gate(captured, kind, read):
    frame = read(io.BytesIO(table_bytes(capture_table(captured, NAMES), kind)))
    assert list(frame.columns) == ["image", "gate", "stage", "block", "channel", "z", "s"]
    assert len(frame) == sum(gate_capture.s.size for gate_capture in captured)
    for gate_capture in captured:
        rows = frame[frame["gate"] == gate_capture.gate.name]
        for key in ("z", "s"):
            wide = rows.pivot(index="image", columns="channel", values=key).loc[NAMES].to_numpy()
            np.testing.assert_allclose(wide, getattr(gate_capture, key), rtol=1e-6, atol=1e-7)


def test_maps_file_holds_the_identity(captured):
    with np.load(io.BytesIO(maps_bytes(captured, "SE_5_2", NAMES)), allow_pickle=False) as stored:
        assert list(stored["images"]) == NAMES
        np.testing.assert_allclose(stored["X"], stored["s"][:, :, None, None] * stored["U"], rtol=1e-6)


def test_maps_that_were_not_captured_are_refused(captured):
    with pytest.raises(ValueError, match="SE_2_1"):
        maps_bytes(captured, "SE_2_1", NAMES)


def test_a_file_name_does_not_become_a_formula(captured):
    names = ["=cmd|'/c calc'!A0.jpg", "+1.jpg", "-1.jpg", "@a.jpg", "plain.jpg"]
    frame = capture_table(captured, names)
    read = pd.read_csv(io.BytesIO(table_bytes(frame, "csv")))
    assert list(dict.fromkeys(read["image"])) == [*(f"'{name}" for name in names[:4]), "plain.jpg"]
    assert list(dict.fromkeys(pd.read_parquet(io.BytesIO(table_bytes(frame, "parquet")))["image"])) == names


def test_cells_without_a_value_stay_empty():
    frame = pd.DataFrame({"gate": ["SE_2_1", "=1+1"], "r": [None, None], "class": ["cat", float("nan")]})
    assert table_bytes(frame, "csv").decode().splitlines() == ["gate,r,class", "SE_2_1,,cat", "'=1+1,,"]


def test_gates_without_a_bottleneck_make_a_table():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), EcaModule(8)).eval()
    frame = gates_table(Model("eca", network, Preprocess(crop=(32, 32), resize=32), ()))
    read = pd.read_csv(io.BytesIO(table_bytes(frame, "csv")))
    assert read["C"].tolist() == [8]
    assert read[["C/r", "r"]].isna().all(axis=None)


def test_gates_without_z_leave_the_column_empty_and_are_named(captured):
    gates = {name: replace(one, z=None) if name.startswith("SE_2") else one for name, one in captured.gates.items()}
    other = replace(captured, gates=gates)
    frame = pd.read_csv(io.BytesIO(table_bytes(capture_table(other, NAMES), "csv")))
    assert set(frame[frame["z"].isna()]["gate"]) == {"SE_2_1", "SE_2_2"}
    assert frame["s"].notna().all()
    assert (
        without_z(other)
        == "There is no z for SE_2_1, SE_2_2: s was not seen to come from one squeeze of U alone there."
    )
    assert without_z(captured) == ""
    many = {
        f"SE_9_{i}": replace(one, z=None, gate=replace(one.gate, name=f"SE_9_{i}")) for i, one in enumerate(captured)
    }
    assert "SE_9_4 and 3 more" in without_z(replace(captured, gates=many))


def test_parameters_of_a_gate_that_is_no_module_are_those_that_make_s(model):
    whole = gates_table(model)
    assert whole["parameters"].tolist()[-1] == sum(p.numel() for p in model.network.layer4[1].se.parameters())

    class Inline(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.fc1, self.fc2 = nn.Conv2d(3, 8, 3), nn.Linear(8, 2, bias=False), nn.Linear(2, 8)

        def forward(self, x):
            x = self.stem(x)
            return (x * torch.sigmoid(self.fc2(self.fc1(x.mean((2, 3)))))[:, :, None, None]).mean((2, 3))

    inline = Model("inline", Inline(), Preprocess((32, 32), 32))
    assert gates_table(inline)["parameters"].tolist() == [8 * 2 + 2 * 8 + 8]


def test_a_table_names_its_model_and_data_in_columns_that_come_last():
    source = Provenance("demo/r16", "imagenette, 3,925 images")
    frame = with_source(pd.DataFrame({"gate": ["SE_5_2"], "eta2": [0.5]}), source)
    assert list(frame) == ["gate", "eta2", "model", "data"]
    read = pd.read_csv(io.BytesIO(table_bytes(frame, "csv"))).iloc[0]
    assert (read["model"], read["data"]) == (source.model, source.images)
    assert list(with_source(pd.DataFrame({"image": ["cat"], "s": [0.5]}), source)) == ["image", "s", "model"]
    assert list(with_source(pd.DataFrame({"model": ["other"]}), Provenance("demo/r16"))["model"]) == ["other"]
    assert list(with_source(frame, Provenance())) == list(frame)
