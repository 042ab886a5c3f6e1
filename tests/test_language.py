"""The language of the project: phrases that CONTRIBUTING.md asks to avoid are in no text that a person reads."""

import ast
import io
import itertools
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
DOCUMENTED = [*CODE, *(path for path in OTHER_CODE if path.relative_to(ROOT).parts[0] in {"benchmarks", "docs"})]
PROSE = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "se_viz").rglob("*.md"))]
# Pages, styles and settings: what a browser shows, and comments.
OTHER_FILES = [
    *(path for kind in ("js", "css", "html", "pyi") for path in sorted((ROOT / "se_viz").rglob(f"*.{kind}"))),
    *(path for kind in ("toml", "txt", "yml", "cff", "in") for path in sorted(ROOT.glob(f"*.{kind}"))),
    *(ROOT / name for name in ("Makefile", ".gitignore", ".ci/run", ".streamlit/config.toml")),
]
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
    r"\bof (its|their|his|our|your|my) own\b(?! (?!(and|are|as|at|but|can|for|has|have|if|in|is|of|on|or|with)\b)\w)": (
        "say whose: your checkpoint, the user's images"
    ),
    r"\bof one's own\b": "say whose: your checkpoint, the user's images",
    r"\bas (many|much) as (there is|it has) (room|place)\b": "as many as fit",
    r"\bfault of its own\b": "returned a server error",
    r"\bby the clock\b": "by timing",
    r"\bh(o|e)ld(s|ing)? (\w+ )?against\b": "compare with",
    r"\bwhat ships\b": "the shipped files",
    r"\bso many\b(?! \w+ that)": "say the number: maximum number of, this number of",
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
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append((node.lineno, node.name.replace("_", " ").replace("ones own", "one's own")))
    found += [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    # A sentence of a comment may run over several lines.
    lines = source.splitlines()
    ends = [n for n, line in enumerate(lines) if line.lstrip().startswith("#")]
    blocks = [[n for _, n in group] for _, group in itertools.groupby(enumerate(ends), lambda pair: pair[1] - pair[0])]
    return found + [(block[0] + 1, "\n".join(lines[n] for n in block)) for block in blocks if len(block) > 1]


def avoided(text: str, *, marked: bool = True) -> list[str]:
    """The phrases to avoid in a text; code in backticks is left out, unless a language writes its strings in them."""
    lines = (re.sub(r"^(#|//|\*)+\s", "", line) for line in map(str.strip, text.splitlines()))
    plain = " ".join(" ".join(lines).split())
    plain = re.sub(r"``.*?``|`.*?`", "", plain) if marked else plain
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
    assert [(name, found) for name, cell in cells for found in avoided("".join(cell["source"]))] == []


@by_folder(OTHER_FILES)
def test_pages_styles_and_settings_say_it_in_plain_words(paths):
    assert [(path.name, found) for path in paths for found in avoided(path.read_text(), marked=False)] == []


def docstrings(path: Path) -> list[tuple[int, str]]:
    """Docstrings of a module, and the strings below its constants and fields, each with its line."""
    return [
        (node.lineno, node.value.value.strip())
        for node in ast.walk(tree(path.read_text()))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]


@by_folder(DOCUMENTED)
def test_a_docstring_says_what_the_thing_does(paths):
    begins = [(path.name, line, text.splitlines()[0]) for path in paths for line, text in docstrings(path)]
    assert [found for found in begins if INDIRECT.match(found[2])] == []


@pytest.mark.parametrize(
    "source",
    [
        '"""Asks whoever\ncalls."""',
        "VALUE = 1  # for whoever calls",
        "# The value is for\n# whoever calls.\nVALUE = 1",
        'def help(option=typer.Option(help="Asks whoever calls.")): ...',
        'raise ValueError(f"{name} asks " "whoever calls.")',
        "async def test_asks_whoever_calls(): ...",
    ],
    ids=["docstring", "comment", "comment of two lines", "help", "error", "name"],
)
def test_a_phrase_to_avoid_is_found_wherever_it_stands_in_code(source, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(source)
    assert any(avoided(text) for _, text in texts(path))


@pytest.mark.parametrize(
    "text", ["// for whoever\n// calls", "/* is\n * none */", "# by the\n# clock", "`${name} anew`"]
)
def test_a_phrase_to_avoid_is_found_in_other_files(text):
    assert avoided(text, marked=False)


# Words that say nothing of what is passed; the second parameter of a comparison may be ``other`` in a special method.
NO_NOUNS = {"found", "own", "one", "other", "others", "left", "given", "there"}


@by_folder([path for path in CODE if path.parent != ROOT])
def test_parameters_of_public_functions_are_nouns(paths):
    functions = [
        (path.name, node)
        for path in paths
        for node in ast.walk(tree(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (not node.name.startswith("_") or node.name == "__init__")
    ]
    assert [
        (name, node.lineno, node.name, parameter.arg)
        for name, node in functions
        for parameter in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if parameter.arg in NO_NOUNS
    ] == []


# What the glossary has replaced, where it would be a definition; se_viz/former_names.py reads the old names of files.
REPLACED = {
    *("Atlas", "Reading", "Difference", "Source", "Part", "Kind", "Place", "Tap", "Spot", "Sink"),
    *("Readings", "readings", "readings_table"),
    *("Member", "FAMILY", "Subject", "Run", "Turn", "View", "Observed", "CutOff", "Asked", "evaluating"),
    *("run_alone", "fast_twin", "twin_of", "observing", "as_published", "unhooked", "proof", "blank"),
    *("filled", "holds", "explained", "unpickled", "claim", "room_on", "expect_room", "number_type"),
    *("reproducible", "variant", "codes", "at_once", "SHARES", "make_here", "make_on_ray", "chance"),
    *("beyond", "by_f", "farthest", "likeness", "milliseconds", "let_go", "or_on_cpu", "unwrap", "refuse"),
}


@by_folder([path for path in CODE if path.parent != ROOT])
def test_no_definition_has_a_name_that_the_glossary_has_replaced(paths):
    defined = [
        (path.name, name)
        for path in paths
        for node in tree(path.read_text()).body
        for name in (
            getattr(node, "name", ""),
            *(getattr(target, "id", "") for target in getattr(node, "targets", [getattr(node, "target", None)])),
        )
    ]
    assert [(path, name) for path, name in defined if name.lstrip("_") in REPLACED] == []
