"""The wheel, made from the sdist, in an environment that has none of this checkout.

The environment's own site-packages hold the wheel alone. The dependencies are those of the environment that runs the
tests, which a .pth file appends to the path, so that torch is not installed twice. This shows that the wheel holds
every file that the package, the commands and the page read, and, as pip installs it with its extras and without an
index, that its ranges admit the locked versions. It does not show that an index serves those versions.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from support.served import Served
from support.visitors import Visitor

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".training"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the sdist of a copy of this checkout, and the wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    copy = shutil.copytree(ROOT, folder / "checkout", ignore=_LEFT_OUT)
    # The weights hardly get smaller, and to compress them takes a second and a half.
    stored = "-C--build-option=--compression=stored"
    run([sys.executable, "-m", "build", "--no-isolation", stored, "--outdir", str(folder), str(copy)], folder)
    shutil.rmtree(copy)
    return folder


@pytest.fixture(scope="module")
def python(built, tmp_path_factory):
    """The Python of an environment with the wheel, installed with its extras of page and export."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    inside = {"base": str(folder), "platbase": str(folder)}
    scripts, packages = (Path(sysconfig.get_path(name, "venv", inside)) for name in ("scripts", "purelib"))
    Path(packages, "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    found = scripts / Path(sys.executable).name
    wheel = next(built.glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "--python", str(found), "--disable-pip-version-check"]
    # Modules are compiled by the first command that imports them, and not those that none imports.
    run([*pip, "install", "--no-index", "--no-compile", f"se-viz[app,export] @ {wheel.as_uri()}"], folder)
    return found


def environment():
    """The variables of a person who has not heard of this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}


def run(command, folder):
    ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_sdist_holds_the_package_and_not_the_tests(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "se_viz/__init__.pyi", ".streamlit/config.toml"} <= names
    assert not {name for name in names if name.startswith(("tests", "benchmarks", ".github", ".ci"))}


def test_the_wheel_holds_every_file_of_the_package(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        names = set(archive.namelist())
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "se_viz", "pretrained"], ROOT)
    wanted = {name.replace("pretrained/", "se_viz/pretrained/", 1) for name in listed.splitlines()}
    assert wanted - names == set()
    assert {name for name in names if ".dist-info/" not in name} - wanted == {"se_viz/ui/settings/config.toml"}


def test_the_package_is_imported_from_the_wheel_without_torch(python, tmp_path):
    code = "import json, sys, se_viz; print(json.dumps([se_viz.__file__, 'torch' in sys.modules, se_viz.__all__]))"
    place, torch, names = json.loads(run([python, "-c", code], tmp_path))
    assert python.parents[1] in Path(place).parents
    assert not torch
    assert "capture" in names


def test_inspect_reads_a_sample_and_writes_files(python, tmp_path):
    out = tmp_path / "out"
    said = run([python.with_name("se-viz"), "inspect", "--sample", "cat", "--out", str(out)], tmp_path)
    assert "Chelsea the cat" in said
    assert {"capture.csv", "capture.parquet", "predictions.csv", "health.json", "heatmap_SE_5_2.html"} <= {
        path.name for path in out.iterdir()
    }


@pytest.mark.exhaustive
def test_classes_draws_the_bundled_class_profiles(python, tmp_path):
    out = tmp_path / "out"
    run([python.with_name("se-viz"), "classes", "--gate", "SE_5_2", "--out", str(out)], tmp_path)
    assert (out / "eta2.csv").stat().st_size > 1000


def test_app_serves_the_page(python, tmp_path):
    nowhere = {"PYTHONPATH": ""}
    command = [str(python.with_name("se-viz"))]
    with Served(tmp_path, nowhere, command=command, cwd=tmp_path) as server, Visitor(server) as visitor:
        assert not visitor.alerts
        assert any("SE\\_5\\_2" in text for text in visitor.texts), visitor.texts
