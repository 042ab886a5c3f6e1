"""Commands on a disk that is full or cannot be written: a sentence with the path, what is kept, and how to go on."""

import pytest
from PIL import Image
from support.faulty_disk import full_disk, read_only
from typer.testing import CliRunner

from se_viz import profile
from se_viz.cli.app import app
from se_viz.disk import sole_writer
from se_viz.model.loading import load
from se_viz.profiles.class_profiles import open_profiles

RUN = CliRunner()
EXPORTS = {
    "inspect": ("inspect", "--sample", "cat", "--device", "cpu", "--out"),
    "gates": ("gates", "demo/r16", "--gate", "SE_2_1", "--out"),
    "classes": ("classes", "--out"),
}
MAIN = {"inspect": "capture.csv", "gates": "gates.csv", "classes": "by_depth.csv"}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_onto_a_full_disk_says_what_is_kept(tmp_path, name):
    out = tmp_path / "out"
    with full_disk(out, 160_000 if name == "inspect" else 20_000):
        result = RUN.invoke(app, [*EXPORTS[name], str(out)])
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert f"The disk of {out} is full, so {out}/" in said
    assert said.endswith("Run the same command again to write all files.")
    files = list(out.iterdir())
    if files:
        before = "The file written before it is" if len(files) == 1 else f"The {len(files)} files before it are"
        assert f"{before} complete and kept in {out}." in said
    assert not [path for path in files if path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_into_a_folder_that_cannot_be_written_or_has_a_writer_says_so(tmp_path, name, monkeypatch):
    monkeypatch.setattr(sole_writer, "PATIENCE", 0.05)
    out = tmp_path / "out"
    with read_only(tmp_path):
        result = RUN.invoke(app, [*EXPORTS[name], str(out)])
    assert result.exit_code == 1
    assert f"cannot be written (Read-only file system): make {out} writable" in " ".join(result.output.split())
    with sole_writer.sole_writer(out / MAIN[name]):
        result = RUN.invoke(app, [*EXPORTS[name], str(out)])
    assert result.exit_code == 1
    assert "is being written by another thread of this process" in " ".join(result.output.split())


@pytest.mark.slow
def test_a_table_that_cannot_be_written_costs_no_class_profiles(tmp_path):
    data, out = tmp_path / "photos", tmp_path / "out"
    for name in ("ape", "bee"):
        (data / name).mkdir(parents=True)
        Image.new("RGB", (32, 32), (len(name), 90, ord(name[0]))).save(data / name / "0.png")
    whole = profile(load("demo/r16", "cpu", fast=False), data, tmp_path / "whole")
    command = ["profile", "--data", str(data), "--out", str(out), "--device", "cpu", "--eta2"]
    tables = tmp_path / "tables"
    tables.mkdir()
    with full_disk(tables, 1000):
        result = RUN.invoke(app, [*command, str(tables / "eta2.csv")])
    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert f"so {tables / 'eta2.csv'} was not written" in said
    assert (
        f"The class profiles are finished and kept in {out / 'profiles.safetensors'}: the same command writes"
    ) in said
    assert open_profiles(out).path.read_bytes() == whole.path.read_bytes()
    assert not list(tables.iterdir())
    assert RUN.invoke(app, [*command, str(tables / "eta2.csv")]).exit_code == 0
