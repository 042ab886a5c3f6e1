"""A hook of MkDocs that inserts what the bundled ablations say, from their files, into the page with the mark."""

from collections.abc import Iterator

MARK = "<!-- ablations -->"
_VALUES = {1.0: "s := 1", "mean": "s := mean", "shuffled": "s shuffled"}


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return the page with the mark replaced, if it has one."""
    return markdown.replace(MARK, ablations()) if MARK in markdown else markdown


def ablations() -> str:
    """Return a table for each demo model that has an ablation, and what the one of demo/r16 says, in Markdown."""
    from se_viz.interventions.ablation_file import open_ablation  # noqa: PLC0415 - not for pages that do not need it
    from se_viz.interventions.bundled_ablations import bundled_ablation, folder  # noqa: PLC0415
    from se_viz.reports.ablation import ablation_report  # noqa: PLC0415

    said = ablation_report(bundled_ablation("demo/r16")).sentences
    parts = ["\n\n".join(said[:-1])]
    found = {path.stem: open_ablation(path) for path in sorted(folder().glob("*.json"))}
    rows = [row for name, ablation in found.items() for row in _rows(name, ablation)]
    head = ["| model | gates | " + " | ".join(_VALUES.values()) + " |", "|---|---|" + "---|" * len(_VALUES)]
    return "\n\n".join([*parts, "\n".join([*head, *rows])])


def _rows(name: str, ablation: object) -> Iterator[str]:
    """Return a row of the table for each stage, and one for all gates."""
    rows = [*ablation.by("stage"), *ablation.by("all")]
    plain = f"demo/{name}, {ablation.as_it_is.accuracy.top1:.1%} as it is"
    for place in dict.fromkeys(row.where for row in rows):
        changes = {row.value: row.change for row in rows if row.where == place}
        yield f"| {plain} | {place} | " + " | ".join(_change(changes[value]) for value in _VALUES) + " |"
        plain = ""


def _change(change: object) -> str:
    """Return a change of accuracy in points, with its interval."""
    value, low, high = (f"{100 * one:+.1f}".replace("-", "−") for one in (change.value, change.low, change.high))
    return f"{value} ({low} to {high})"
