"""Below the walk-through: where SE sits, SE in other networks, cost and results, each with a link to its page."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from se_viz.analysis.gate_placement import describe_placement
from se_viz.analysis.inserted_block import EXAMPLES, InsertedBlock, inserted_block
from se_viz.analysis.walk import Walk
from se_viz.demo import pretrained
from se_viz.figures.block_diagram import block_drawing
from se_viz.model.model import Model
from se_viz.reports.cost_beside_paper import cost_sentence, family_table, paper_cost_table, paper_table
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import walks
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.state.uploaded_model import called
from se_viz.ui.widgets import chart
from se_viz.ui.widgets.choice import check, choose
from se_viz.ui.widgets.page_links import link

_TABS = ("Where SE sits", "SE in any CNN", "What SE costs", "What SE brings")
_PAPER = "[the paper](https://arxiv.org/abs/1709.01507)"


def show(model: Model, walk: Walk) -> None:
    """Draw the sections as tabs, of which only the open one is made."""
    check("Section", _TABS, "about", _TABS[0])
    tabs = st.tabs(_TABS, key=sent_again("about"), bind="query-params")
    sections: tuple[Callable[[], None], ...] = (
        partial(_where, model, walk),
        _elsewhere,
        partial(_cost, model),
        _results,
    )
    for tab, section in zip(tabs, sections, strict=True):
        if tab.open:
            with tab:
                section()


def _where(model: Model, walk: Walk) -> None:
    gate, block = walk.gate, walk.values.block
    stages = sorted({one.stage for one in model.gates})
    where = describe_placement(block)
    st.markdown(
        emphasised(
            f"**{gate.name}** is {where}. The network has {len(model.gates)} gates, in "
            f"{'stage' if len(stages) == 1 else 'stages'} {', '.join(map(str, stages))}."
        )
    )
    with st.container(width=640):
        chart.draw(block_drawing(gate, block, where))
    link("network", "All gates, on the page Network", gate=gate.name)


@st.fragment
def _elsewhere() -> None:
    name = choose("Network without SE", list(EXAMPLES), "cnn", segmented=True)
    made = _inserted(name)
    st.markdown(emphasised(f"In **{name}**, a gate goes {made.where}; this is a block of stage 4."))
    with st.container(width=640):
        chart.draw(replace(block_drawing(made.gate, made.block, made.where), name="inserted"))
    link("reduction", "What SE costs there, on the page Reduction")


@st.cache_resource(max_entries=len(EXAMPLES), show_spinner="Inserting the gate …")
def _inserted(name: str) -> InsertedBlock:
    return inserted_block(name)


def _cost(model: Model) -> None:
    counted = walks.network_cost(model)
    st.markdown(escape_markdown(cost_sentence(counted)))
    _table(paper_cost_table(counted, called(model)))
    link("network", "Parameters of each gate, on the page Network")


def _results() -> None:
    st.markdown(f"Top-1 error on ImageNet in Table 2 of {_PAPER}, as the authors re-implemented the networks:")
    _table(paper_table())
    family = family_table(pretrained.cards())
    if len(family) == 2:
        st.markdown("And here, for the demo models on the validation set of Imagenette:")
        _table(family)
    link("reduction", "All demo models beside the paper's Tables 10 to 14, on the page Reduction")


def _table(frame: pd.DataFrame) -> None:
    st.table(frame.set_index(frame.columns[0]))
