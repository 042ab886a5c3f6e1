"""The loaded network beside the demo models on the Reduction page, if it is not a demo model."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from se_viz.analysis.loaded_network import LoadedNetwork
from se_viz.demo.card import Card
from se_viz.demo.design_choices import DesignChoice
from se_viz.gates.errors import InstrumentError
from se_viz.model.model import Model
from se_viz.reports.loaded_network import loaded_report, with_loaded
from se_viz.reports.report import Report
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import loaded_network
from se_viz.ui.state.uploaded_model import called
from se_viz.ui.widgets.code_lines import head_options, shell_options
from se_viz.ui.widgets.image_picker import Chosen

_COLUMNS = {
    "network": st.column_config.Column(pinned=True, width="medium"),
    "parameters": st.column_config.NumberColumn(format="localized"),
    "MACs, millions": st.column_config.NumberColumn(format="%.1f"),
}


@dataclass(frozen=True)
class Beside:
    """The network in the sidebar, drawn beside the demo models.

    Attributes:
        model: the model.
        name: its name as the user named it.
    """

    model: Model
    name: str

    def report(self, choice: DesignChoice, cards: Sequence[Card], chosen: Chosen | None = None) -> Report | None:
        """Return the report on the network; None, with a message, if its cost cannot be counted.

        Args:
            choice: the design choice in which the demo models differ.
            cards: the cards of the demo models.
            chosen: the images over which its gates are measured, if it has no class profiles for this; without them
                its gates are not measured.
        """
        model = self.model
        try:
            counted = loaded_network.cost(model)
        except InstrumentError as error:
            st.warning(escape_markdown(f"{self.name} cannot be counted: {error}"))
            return None
        gates = tuple(gate.name for gate in model.gates)
        measured = None if chosen is None else loaded_network.measured(model, chosen.images)
        network = LoadedNetwork(self.name, gates, model.preprocess.crop[0], counted, measured)
        return loaded_report(choice, cards, network)

    def added_to(self, design: Report, loaded: Report) -> Report:
        """Return the report on a design choice with the report on this network added."""
        return with_loaded(design, loaded, self.name, self.model)

    def show_cost(self, choice: DesignChoice, cards: Sequence[Card]) -> None:
        """Draw the cost of the network beside that of the demo models, and the command that measures its accuracy."""
        report = self.report(choice, cards)
        if report is None:
            return
        st.header("Beside the demo models", anchor=False)
        st.markdown(emphasised(report.sentences[0]))
        st.dataframe(report.tables["cost"], hide_index=True, column_config=_COLUMNS)
        last = self.model.gates[-1].name
        st.code(
            f"python -m se_viz ablate {shell_options(self.model)}{head_options()} --data DIR --gate {last} --set 1",
            language=None,
        )
        st.caption(
            f"Its first row, “as it is”, has the accuracy; its second row has the accuracy with s := 1 in {last}."
        )


def beside(model: Model) -> Beside | None:
    """Return the network in the sidebar; None if it is a demo model, which the page shows anyway."""
    return None if model.name.startswith("demo/") else Beside(model, called(model))
