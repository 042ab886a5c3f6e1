import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODULES = sorted((ROOT / "se_viz").rglob("*.py"))
# What se_viz/ui and the writing of PNG import belongs to an extra; Streamlit's own server is starlette.
OF_EXTRAS = {
    "captum": "attribution",
    "streamlit": "app",
    "starlette": "app",
    "fontTools": "export",
    "kaleido": "export",
    "choreographer": "export",
    "ray": "ray",
}


def ranges(*extras: str) -> dict[str, Requirement]:
    project = PROJECT["project"]
    texts = [*project["dependencies"], *(text for name in extras for text in project["optional-dependencies"][name])]
    return {canonicalize_name(one.name): one for one in map(Requirement, texts)}


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    pins = (Requirement(line) for line in lines if line and not line.startswith(("#", "-r")))
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}


def test_importing_the_package_or_asking_for_help_does_not_wait_for_torch():
    code = "import sys, se_viz, se_viz.cli.app; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_no_command_prints_a_warning_of_torch_where_it_does_not_measure_time():
    at_the_top = re.compile(r"^(from|import) torch\.utils\.(benchmark|cpp_extension)", re.MULTILINE)
    assert not [path.name for path in (ROOT / "se_viz").rglob("*.py") if at_the_top.search(path.read_text())]


@pytest.mark.parametrize("name", se_viz.__all__)
def test_every_public_name_is_there_and_described(name):
    assert getattr(se_viz, name).__doc__


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="nothing"):
        _ = se_viz.nothing


def test_the_stub_is_ascii():
    """lazy_loader reads it in the encoding of the machine."""
    assert (ROOT / "se_viz" / "__init__.pyi").read_bytes().isascii()


@pytest.mark.slow
def test_every_import_is_declared_in_the_right_place():
    """And nothing is declared that is not imported."""
    imported: dict[str, set[Path]] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                imported.setdefault(name.partition(".")[0], set()).add(path)
    others = set(imported) - {"se_viz"} - sys.stdlib_module_names
    assert set(OF_EXTRAS) <= others
    homes = packages_distributions()
    core = {canonicalize_name(home) for name in others - set(OF_EXTRAS) for home in homes[name]}
    assert core == set(ranges())
    ui = ROOT / "se_viz" / "ui"
    assert all(ui in path.parents for name in ("streamlit", "starlette") for path in imported[name])


def test_the_lock_pins_what_the_ranges_name_and_within_them():
    for file, wanted in (
        ("requirements.txt", ranges("app", "attribution", "export")),
        ("requirements-ray.txt", ranges("ray")),
    ):
        pins = locked(file)
        named = set(wanted) if file == "requirements.txt" else set(wanted) - set(ranges())
        assert set(pins) == named
        assert all(wanted[name].specifier.contains(version) for name, version in pins.items()), pins


def test_the_extra_dev_names_what_the_development_lock_pins():
    assert set(ranges("dev")) - set(ranges()) - {"se-viz"} == set(locked("requirements-dev.txt"))


def test_every_folder_of_modules_is_a_package_of_the_wheel():
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in MODULES}
    tools = PROJECT["tool"]["setuptools"]
    assert set(tools["packages"]) == folders | set(tools["package-dir"])


@pytest.mark.slow
def test_no_sentence_names_a_file_that_a_wheel_lacks():
    lacking = re.compile(
        r"README|requirements[\w-]*\.txt|Makefile|\bmake (run|test)\b|\bapp\.py\b|\b(tests|benchmarks)/"
    )
    for path in MODULES:
        tree = ast.parse(path.read_text())
        scopes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        described = {
            id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, scopes) and ast.get_docstring(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
                assert not lacking.search(node.value), (path, node.value)


@pytest.mark.parametrize("module", ["streamlit", "starlette.requests"])
def test_without_the_extra_app_a_sentence_names_it(monkeypatch, module):
    for name in [name for name in sys.modules if name.startswith("se_viz.ui.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    said = CliRunner().invoke(app, ["app"])
    assert said.exit_code == 1
    assert said.output == f"The page needs {module}, which is not installed: `pip install 'se-viz[app]'`.\n"
