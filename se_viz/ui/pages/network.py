"""The Network page, which answers where attention sits in a network."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import streamlit as st

from se_viz.analysis.cost import Cost, cost
from se_viz.analysis.gate_placement import place
from se_viz.device.memory import room_on
from se_viz.figures.block_diagram import block_drawing
from se_viz.figures.gate_tree import gate_tree
from se_viz.gates.block import Block, block_of
from se_viz.gates.gate import Gate
from se_viz.gates.macs import RULE, not_counted
from se_viz.model.model import Model
from se_viz.reports.tables import gates_table, table_bytes
from se_viz.ui.markdown import plain
from se_viz.ui.state import device_queue as turns
from se_viz.ui.state.models import or_on_cpu
from se_viz.ui.widgets import chart
from se_viz.ui.widgets.checkpoint_picker import called
from se_viz.ui.widgets.code_lines import load_line, shell_options
from se_viz.ui.widgets.page_header import Head

T = TypeVar("T")

QUESTION = "Where does attention sit in this network?"

_COLUMNS = {
    "C": st.column_config.NumberColumn(help="Channels, the length of z and s."),
    "C/r": st.column_config.NumberColumn(help="Width of the bottleneck between the two FC layers."),
    "r": st.column_config.NumberColumn(help="Effective reduction ratio, C over the bottleneck.", format="%.3g"),
    "parameters": st.column_config.NumberColumn(help="Weights and biases of the gate.", format="localized"),
    "found by": st.column_config.TextColumn(
        help="By its class, by a search of modules, or by watching multiplications in the code of a block. X̃ = s · U "
        "was verified each way."
    ),
}


def page(head: Head) -> None:
    """Draw the page."""
    model = head.model
    names = [gate.name for gate in model.gates]
    counted = _cost(model, model.key)
    with st.container(width=280):
        name = st.selectbox("Gate", names, index=len(names) - 1, key="gate", bind="query-params")
    gate = model.gate(name)
    block = _block(model, model.key, name)
    where = place(block)
    head.answer.markdown(plain(summary(model, counted)) + f" **{plain(gate.name)}** is {plain(where)}.")
    if counted.left_out:
        st.warning(plain(not_counted(counted.left_out)))
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(gate_tree(called(model), model.gates, name))
    with right:
        chart.show(block_drawing(gate, block, where))
        st.caption(plain(f"{block.path or 'the network'} ({block.kind}), {_place(gate)}"))
    st.caption(plain(RULE))
    _table(model)
    _take_away(model, name)


def _place(gate: Gate) -> str:
    """Where a gate is in the network, for a person."""
    if gate.product is None:
        return f"gate at {gate.path} ({gate.kind})"
    return f"gate in the code of {gate.path or 'the network'} ({gate.kind})"


def summary(model: Model, counted: Cost) -> str:
    """How many gates there are, of what kind, and what they weigh in the network."""
    gates = model.gates
    stages = {gate.stage for gate in gates}
    own, macs = sum(stage.params for stage in counted.stages), sum(stage.macs for stage in counted.stages)
    share = macs / counted.macs
    little = "less than 0.01%" if 0 < share < 1e-4 else f"{share:.2%}"
    return (
        f"{len(gates)} {'gate' if len(gates) == 1 else 'gates'} in {len(stages)} "
        f"{'stage' if len(stages) == 1 else 'stages'}: squeeze {_mixed(gate.squeeze for gate in gates)}, "
        f"{_mixed(gate.function for gate in gates)}, {_ratios(gates)}. "
        f"{'It holds' if len(gates) == 1 else 'They hold'} {own:,} of {counted.params:,} parameters "
        f"({own / counted.params:.1%}) and {'does' if len(gates) == 1 else 'do'} {little} of the "
        f"multiply-accumulates."
    )


def _mixed(values: Iterable[str]) -> str:
    """One word where all agree, else each with its number."""
    counts = Counter(values).most_common()
    return counts[0][0] if len(counts) == 1 else ", ".join(f"{value} ({count})" for value, count in counts)


def _ratios(gates: Sequence[Gate]) -> str:
    found = sorted({round(gate.r, 1) for gate in gates if gate.r is not None})
    if not found:
        return "no bottleneck"
    return f"r = {found[0]:g}" if len(found) == 1 else f"r from {found[0]:g} to {found[-1]:g}"


@st.cache_resource(max_entries=16, show_spinner="Counting the network …")
def _cost(_model: Model, key: str) -> Cost:
    del key
    return _in_turn(_model, lambda: cost(_model.network, _model.preprocess.crop[0], _model.gates))


@st.cache_resource(max_entries=256, show_spinner="Watching the block …")
def _block(_model: Model, key: str, gate: str) -> Block:
    del key
    return _in_turn(_model, lambda: block_of(_model.network, _model.gate(gate), _model.preprocess.crop))


def _in_turn(model: Model, work: Callable[[], T]) -> T:
    def run() -> T:
        with room_on(model.device, "one image"):
            return work()

    with or_on_cpu(str(model.device)):
        return turns.take(run, str(model.device))


def _table(model: Model) -> None:
    st.header("Every gate", anchor=False)
    st.dataframe(gates_table(model), hide_index=True, column_config=_COLUMNS)


def _take_away(model: Model, name: str) -> None:
    st.header("Take it away", anchor=False)
    st.download_button(
        "Gates as CSV",
        lambda: table_bytes(gates_table(model), "csv"),
        file_name="gates.csv",
        mime="text/csv",
        key="save_gates",
        on_click="ignore",
        icon=":material/download:",
    )
    st.markdown("The same from Python, and from a shell:")
    st.code(
        f"import se_viz\n\n{load_line(model)}\n"
        "for gate in model.gates:\n"
        "    print(gate.name, gate.path, gate.channels, gate.bottleneck, gate.r, gate.squeeze, gate.function)\n"
        f"block = se_viz.block_of(model.network, model.gate({name!r}), model.preprocess.crop)\n"
        "block.parts, block.joins  # what runs around a gate, and where branches meet",
        language="python",
    )
    st.code(f"python -m se_viz gates {shell_options(model, option='')} --gate {name} --out gates", language="bash")
