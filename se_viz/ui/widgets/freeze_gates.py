"""Gates as constants: what freezing them saves, and the frozen network as a file."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from se_viz.gates.errors import InstrumentError
from se_viz.interventions.ablation import Ablation
from se_viz.interventions.baseline import NoMean
from se_viz.interventions.constant_gates import CannotFreeze
from se_viz.interventions.freeze import freeze
from se_viz.interventions.frozen_network import FrozenNetwork
from se_viz.model.model import Model
from se_viz.profiles.bundled import path as bundled_path
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.frozen_report import frozen_report, known_cost, measure_times
from se_viz.reports.unknown_mean import unknown_mean
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import interventions
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.state.models import take_turn
from se_viz.ui.widgets.choice import choose
from se_viz.ui.widgets.code_lines import load_line, shell_options
from se_viz.ui.widgets.download import download
from se_viz.ui.widgets.minus_signs import with_minus

_MEASURE = (
    "To measure it, add --data DIR to the command below, which then measures the accuracy before and after. Or open "
    "an ablation of these gates above."
)
_COLUMNS = {name: st.column_config.NumberColumn(format="localized") for name in ("before", "after")}


@st.fragment
def show(model: Model, profiles: ClassProfiles | None, ablation: Ablation | None) -> None:
    """Draw the choice of gates and constants, what is saved and what it costs, and the download.

    Args:
        model: the model.
        profiles: class profiles that were chosen, if there are any.
        ablation: of the model, if there is one.
    """
    st.header("Freeze gates", anchor=False)
    known = interventions.means(model, profiles) is not None
    left, right = st.columns([3, 1], gap="medium")
    gates = left.multiselect(
        "Gates that become constants",
        [gate.name for gate in model.gates],
        key=sent_again("frozen"),
        bind="query-params",
        help="In the frozen network, s of these gates is the same for all images, and is folded into the weights "
        "beside the gate where that is exact. The network of the page stays as it is.",
    )
    with right:
        value = choose("Constant", [*["mean"] * known, "1", "0"], "constant", segmented=True)
    if not gates:
        st.caption(
            "Choose gates to see how many parameters it saves to make them constants, and to download the frozen "
            "network."
        )
        return
    constant = value if value == "mean" else float(value)
    try:
        frozen = _frozen(model, tuple(gates), constant, profiles)
    except (CannotFreeze, InstrumentError, ValueError) as error:
        st.info(escape_markdown(unknown_mean(error, "page") if isinstance(error, NoMean) else str(error)))
        return
    answer = st.container()
    measured = None
    if st.button("Measure the time of one image", key="time_frozen", icon=":material/timer:"):
        with st.spinner("Measuring the time before and after …"):
            measured = take_turn(model, partial(measure_times, model, frozen))
    report = frozen_report(frozen, times=measured, known=known_cost(frozen, ablation, _MEASURE))
    with answer:
        for sentence in report.sentences:
            st.markdown(emphasised(sentence))
        before_and_after, constants = st.columns(2, gap="medium")
        before_and_after.dataframe(report.tables["before_and_after"], hide_index=True, column_config=_COLUMNS)
        constants.dataframe(with_minus(report.tables["gates"], **{"mean of s": ".4g"}), hide_index=True)
    download("Frozen network as safetensors", partial(_file, frozen), "frozen.safetensors", "save_frozen")
    own = profiles is not None and value == "mean" and profiles.path != bundled_path(model.name)
    lines = ["import se_viz", "", load_line(model)]
    lines += ['profiles = se_viz.open_profiles("PROFILES")  # as the Classes page made them'] * own
    lines += [
        f"frozen = se_viz.freeze(model, dict.fromkeys({gates!r}, {constant!r}){', profiles=profiles' * own})",
        'frozen.save("frozen.safetensors")',
    ]
    st.code("\n".join(lines), language="python")
    options = "".join(f" --set {gate}={value}" for gate in gates) + " --profiles PROFILES" * own
    st.code(f"python -m se_viz freeze {shell_options(model, option='')}{options}", language="bash")


def _frozen(model: Model, gates: tuple[str, ...], value: float | str, profiles: ClassProfiles | None) -> FrozenNetwork:
    """Return the frozen network; it is made at each run and not kept, as it has a copy of all weights."""
    work = partial(freeze, model, dict.fromkeys(gates, value), profiles=profiles)
    with st.spinner("Freezing the gates …"):
        return take_turn(model, work)


def _file(frozen: FrozenNetwork) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frozen.safetensors"
        frozen.save(path)
        return path.read_bytes()
