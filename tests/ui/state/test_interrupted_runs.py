"""After a run whose messages the browser may not have got, the next one says what each widget shows."""

import ast
from pathlib import Path

import pytest
from support.pages import open_app, open_page

import se_viz

KINDS = ("multiselect", "selectbox", "button_group", "number_input", "slider", "toggle")


def drawn_by_the_last_run_alone(widget):
    """What a browser shows that has no message of an earlier run."""
    proto = widget.proto
    if widget.type == "multiselect":
        return list(proto.raw_values) if proto.set_value else [proto.options[place] for place in proto.default]
    if widget.type == "selectbox":
        if proto.set_value:
            return proto.raw_value
        return proto.options[proto.default] if proto.HasField("default") else None
    if widget.type == "button_group":
        return list(proto.raw_values) if proto.set_value else [proto.options[place].content for place in proto.default]
    if widget.type == "slider":
        return list(proto.value if proto.set_value else proto.default)
    if widget.type == "number_input" and not proto.set_value:
        return proto.default if proto.HasField("default") else None
    if widget.type == "number_input":
        return proto.value if proto.HasField("value") else None
    return proto.value if proto.set_value else proto.default


def chosen(widget):
    """What Python has for the widget, as the browser would show it."""
    if widget.type == "selectbox":
        return None if widget.value is None else widget.format_func(widget.value)
    if widget.type == "multiselect":
        return [widget.format_func(value) for value in widget.value]
    if widget.type == "button_group":
        return [widget.format_func(widget.value)]
    return [widget.value] if widget.type == "slider" else widget.value


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("inspect", {"samples": "coffee,cat", "gate": "SE_3_2", "focus": "2", "precision": "bf16", "order": "index"}),
        ("inspect", {"view": "Maps", "by": "chosen", "channels": "3", "shown": "over the image", "head": "features"}),
        ("inspect", {"view": "Export", "size": "slide", "device": "cpu", "raw": "true"}),
        ("classes", {"view": "Figure 7", "band": "5th–95th percentile", "classes": "church", "class_a": "church"}),
        ("classes", {"view": "Figure 6", "drawn": "all", "class_stage2": "SE_2_1"}),
        ("reduction", {"differ": "squeeze operator", "cost": "MACs"}),
        ("intervene", {"samples": "cat,coffee", "other": "2", "view": "Over a dataset", "frozen": "SE_2_1"}),
    ],
)
def test_every_widget_says_what_it_shows(page, query):
    opened = open_page(page, **query)
    widgets = {widget.key: chosen(widget) for kind in KINDS for widget in opened.get(kind)}
    opened.session_state["values_sent_again"] = True
    opened.run()
    assert not opened.exception
    again = {widget.key: drawn_by_the_last_run_alone(widget) for kind in KINDS for widget in opened.get(kind)}
    assert again == widgets


def test_a_run_that_did_not_come_to_its_end_is_followed_by_one_that_says_all_again():
    opened = open_app(samples="cat", precision="bf16")
    assert not opened.session_state["run_unfinished"]
    opened.session_state["run_unfinished"] = True
    opened.run()
    precision = opened.segmented_control(key="precision")
    assert precision.proto.set_value
    assert precision.value == "bf16"
    opened.run()
    assert not opened.segmented_control(key="precision").proto.set_value


def test_every_widget_whose_choice_stays_is_one_of_them():
    """What is in the URL or kept by the session is lost without ``sent_again``."""
    without = []
    for path in Path(se_viz.__file__).with_name("ui").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            given = {one.arg: one.value for one in call.keywords} if isinstance(call, ast.Call) else {}
            if given.keys() & {"bind", "persist_state"} and "sent_again(" not in ast.unparse(given["key"]):
                without.append(f"{path.name}:{call.lineno}")
    assert not without
