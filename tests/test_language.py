"""The language of the project: phrases that CONTRIBUTING.md asks to avoid are in no text that a person reads."""

import ast
import io
import json
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = [*sorted((ROOT / "se_viz").rglob("*.py")), ROOT / "app.py"]
# Of these the words are held, and not the form of docstrings; this file alone names the phrases.
OTHER_CODE = [
    path for folder in ("tests", "benchmarks", "docs/scripts") for path in sorted((ROOT / folder).rglob("*.py"))
]
OTHER_CODE.remove(Path(__file__))
PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


def by_folder(paths: list[Path]):
    """Parametrize a test with the paths of each folder: a test a file would cost more than what it reads."""
    folders: dict[str, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(path)
    return pytest.mark.parametrize("paths", folders.values(), ids=folders)


# Patterns, each with the phrase to use instead.
AVOIDED = {
    r"\bwho(m|so)?ever\b": "name the caller, the user, the reader or the process",
    r"\banew\b": "again",
    r"\bnobody\b": "a sentence with a subject: 'No class profiles for X yet'",
    r"\b(is|are|was|were) none\b": "say what is missing, or None of Python in code marks",
    r"\bof (one|its|their|his)'?s? own\b(?! \w)": "say whose: your checkpoint, the user's images",
    r"\bof one's own\b": "say whose: your checkpoint, the user's images",
    r"\bas (many|much) as (there is|it has) (room|place)\b": "as many as fit",
    r"\bfault of its own\b": "returned a server error",
    r"\bby the clock\b": "by timing",
    r"\bh(o|e)ld(s|ing)? (\w+ )?against\b": "compare with",
    r"\bwhat ships\b": "the shipped files",
    r"\b(its|whose) name denies\b": "say both formats",
    r"\bchance (allows|allowed|would allow)\b": "not statistically significant",
    r"\bthere is room for\b": "fits",
    r"\bwithal|\bthereof\b|\bhereof\b|\bwherein\b|\btherein\b": "plain words",
    r"\bat a stroke\b|\bof itself\b|\bin good order\b": "plain words",
}
# Numbers are written in one form: "88%" and "3 × 3". The product of a network's name is left as its authors write it.
FORMS = {r"[\d}] %(?![({\w])": "88%", r"\d×\d(?!d)": "3 × 3"}
# The docstring of a function begins with a verb, any other with a noun.
INDIRECT = re.compile(r"(What|Whether|Who|Whose|Which|How|Where|When|That) ")


def tree(source: str) -> ast.Module:
    """Return the tree of a module; once more where another thread builds one, which confuses CPython 3.11."""
    try:
        return ast.parse(source)
    except SystemError:
        return ast.parse(source)


def texts(path: Path) -> list[tuple[int, str]]:
    """Docstrings, other strings, comments and names of functions of a module, each with its line."""
    source = path.read_text()
    found = []
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((node.lineno, node.value))
        elif isinstance(node, ast.FunctionDef):
            found.append((node.lineno, node.name.replace("_", " ").replace("ones own", "one's own")))
    comments = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    return found + comments


def avoided(text: str) -> list[str]:
    """The phrases to avoid in a text, without code in backticks."""
    plain = re.sub(r"``.*?``|`.*?`", "", " ".join(text.split()))
    return [
        f"{match[0]!r} ({instead})"
        for pattern, instead in AVOIDED.items()
        for match in re.finditer(pattern, plain, re.IGNORECASE if "none" not in pattern else 0)
    ]


def written(path: Path) -> list[tuple[int, str]]:
    """Strings of a module, each with its line; the numbers that an f-string formats are 0."""
    found = []
    for node in ast.walk(tree(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "0" for part in node.values]
            found.append((node.lineno, "".join(map(str, parts))))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((node.lineno, node.value))
    return found


def other_forms(text: str) -> list[str]:
    """The numbers of a text that have another form, each with an example of the right one."""
    return [f"{match[0]!r} ({right})" for form, right in FORMS.items() for match in re.finditer(form, text)]


@by_folder(CODE)
def test_code_writes_percentages_and_sizes_in_one_form(paths):
    assert [
        (path.name, line, found) for path in paths for line, text in written(path) for found in other_forms(text)
    ] == []


@by_folder([*PROSE, *NOTEBOOKS, ROOT / "CHANGELOG.md"])
def test_documentation_writes_percentages_and_sizes_in_one_form(paths):
    assert [(path.name, found) for path in paths for found in other_forms(path.read_text())] == []


@by_folder([*CODE, *OTHER_CODE])
def test_code_says_it_in_plain_words(paths):
    assert [(path.name, line, found) for path in paths for line, text in texts(path) for found in avoided(text)] == []


@by_folder(PROSE)
def test_documentation_says_it_in_plain_words(paths):
    code = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    assert [(path.name, found) for path in paths for found in avoided(code.sub("", path.read_text()))] == []


@by_folder(NOTEBOOKS)
def test_notebooks_say_it_in_plain_words(paths):
    cells = [(path.name, cell) for path in paths for cell in json.loads(path.read_text())["cells"]]
    assert [
        (name, found)
        for name, cell in cells
        if cell["cell_type"] == "markdown"
        for found in avoided("".join(cell["source"]))
    ] == []


@by_folder(CODE)
def test_a_docstring_says_what_the_thing_does(paths):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    begins = [
        (path.name, getattr(node, "lineno", 1), ast.get_docstring(node) or "")
        for path in paths
        for node in ast.walk(tree(path.read_text()))
        if isinstance(node, documented)
    ]
    assert [(name, line, text.splitlines()[0]) for name, line, text in begins if INDIRECT.match(text)] == []
