import json
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from threading import Lock

import pytest
from support.profiling import SETTINGS
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.data.dataset_sources import dataset
from se_viz.model.loading import load
from se_viz.profiles.engine import RayEngine
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.profile import profile

pytestmark = pytest.mark.slow


def deadly(listed, at, marker):
    """A dataset that ends the process that reads image ``at`` first."""

    def read(index):
        if index == at and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return listed.read(index)

    return replace(listed, read=read)


def test_a_worker_that_is_killed_costs_a_shard_and_changes_nothing(cluster, whole, tiny_model, photos, tmp_path):
    marker, told = tmp_path / "killed", []
    profiles = profile(
        tiny_model,
        deadly(dataset(photos), 9, marker),
        tmp_path / "out",
        engine=RayEngine(workers=2),
        report=lambda done, of: told.append((done, of)),
        **SETTINGS,
    )
    assert marker.exists()
    assert profiles.path.read_bytes() == whole.path.read_bytes()
    assert [of for _, of in told] == [15] * 4
    assert told[-1][0] == 15
    assert list(profiles.header.refused) == ["bee/2.png"]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "damaged" in report["refused"]["bee/2.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["profiles.safetensors", "report.json"]
    # The network here still has its hooks, and no others.
    assert profile(tiny_model, photos, tmp_path / "here", **SETTINGS).path.read_bytes() == whole.path.read_bytes()


@pytest.mark.exhaustive
def test_stopped_it_goes_on_where_it_was_with_one_worker_too(cluster, whole, tiny_model, photos, tmp_path):
    class Enough(Exception):
        pass

    def stop(done, of):
        raise Enough

    with pytest.raises(Enough):
        profile(tiny_model, photos, tmp_path, engine=RayEngine(workers=1), report=stop, **SETTINGS)
    shards = list((tmp_path / "shards").glob("*.safetensors"))
    assert shards
    before = {path: path.stat().st_mtime_ns for path in shards}
    seen = []

    def look(done, of):
        seen.append(done)
        assert {path: path.stat().st_mtime_ns for path in shards} == before

    profiles = profile(tiny_model, photos, tmp_path, engine=RayEngine(workers=1), report=look, **SETTINGS)
    assert seen[0] > 4
    assert profiles.path.read_bytes() == whole.path.read_bytes()


def test_more_than_the_cluster_has_is_refused(cluster, photos, tiny_model, tmp_path):
    for asked in ({"gpus": 1}, {"cpus": 3}):
        with pytest.raises(ProfilesError, match=r"room for a worker .* they have 2 CPUs and 0 GPUs"):
            profile(tiny_model, photos, tmp_path, engine=RayEngine(**asked))
    with pytest.raises(ProfilesError, match="1 or more"):
        profile(tiny_model, photos, tmp_path, engine=RayEngine(workers=0))


def test_what_cannot_be_sent_is_named(cluster, photos, tiny_model, tmp_path):
    locked = replace(dataset(photos), read=partial(print, Lock()))
    with pytest.raises(ProfilesError, match="cannot be sent to the workers"):
        profile(tiny_model, locked, tmp_path, engine="ray")


def test_without_ray_a_sentence_says_what_to_install(tiny_model, photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "se_viz.profiles.ray_cluster", None)
    monkeypatch.delitem(sys.modules, "se_viz.profiles.ray_cluster")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ProfilesError, match=r"needs ray, .* `pip install 'se-viz\[ray\]'`"):
        profile(tiny_model, photos, tmp_path, engine="ray")
    with pytest.raises(ProfilesError, match=r"must be 'local', 'ray', or se_viz.RayEngine\(…\), not 'dask'"):
        profile(tiny_model, photos, tmp_path, engine="dask")


@pytest.mark.xdist_group("ray")
def test_the_command_starts_and_ends_its_own_ray(photos, tmp_path, monkeypatch):
    out = tmp_path / "out"
    command = ["profile", "--data", str(photos), "--out", str(out), "--engine", "ray"]
    command += ["--address", "local", "--workers", "1"]
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "")  # put back when the command has set it
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED")
    ray = pytest.importorskip("ray")
    assert not ray.is_initialized()
    ended = CliRunner().invoke(app, command)
    assert "14 images of 3 classes" in ended.output, ended.output
    assert not ray.is_initialized()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    here = tmp_path / "here"
    profile(load("demo/r16", "cpu"), photos, here)
    assert (out / "profiles.safetensors").read_bytes() == (here / "profiles.safetensors").read_bytes()
