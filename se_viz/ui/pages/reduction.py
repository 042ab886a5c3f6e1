"""The Reduction page: the effect of the reduction ratio, and of other design choices, on accuracy, size and s."""

from collections.abc import Callable
from functools import partial
from typing import get_args

import streamlit as st

from se_viz import former_names
from se_viz.analysis.demo_responses import bundled_path, of_user
from se_viz.demo import pretrained, user_networks
from se_viz.demo.card import Card
from se_viz.demo.design_choices import DESIGN_CHOICES, RATIO, DesignChoice, variants_of
from se_viz.demo.user_networks import UserNetworks
from se_viz.reports.design_choices import QUESTION, CostOf, design_report, family_cards
from se_viz.reports.report import Report
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.widgets import beside_family, chart, cost_calculator, model_comparison, notes, report_download, tabs
from se_viz.ui.widgets.beside_family import Beside
from se_viz.ui.widgets.choice import choose
from se_viz.ui.widgets.code_lines import shell_images, shell_options
from se_viz.ui.widgets.minus_signs import with_minus
from se_viz.ui.widgets.page_header import PageHeader

__all__ = ["QUESTION", "page"]

_COLUMNS = {
    "parameters": st.column_config.NumberColumn(format="localized"),
    "MACs, millions": st.column_config.NumberColumn(format="%.1f"),
    "top-1, %": st.column_config.NumberColumn(format="%.2f"),
    "trained in, min": st.column_config.NumberColumn(format="%.0f"),
}
_COMPARED = {
    "network": st.column_config.Column(pinned=True),
    **{
        name: st.column_config.NumberColumn(format="%.2g")
        for name in ("McNemar p", "p (Holm)", "t-test p", "permutation p", "smallest possible")
    },
}
_PAPER = {
    name: st.column_config.NumberColumn(format="%.2f")
    for name in (
        *("top-1 here, %", "mean of seeds, %", "lowest, %", "highest, %"),
        *("top-1 in the paper, %", "top-5 in the paper, %"),
    )
}
_TESTS = {
    "comparisons_over_images": "The networks of seed 0 on the same images. Points are the difference of top-1, with "
    "Newcombe's interval for pairs. Lost images are right only with r = 16, gained ones only with the other network; "
    "McNemar's exact test compares the two numbers. p (Holm) is corrected for all tests of the demo models, over "
    "images and over seeds; the tests of your networks are corrected separately.",
    "comparisons_over_seeds": "Means of all seeds. Student's t-test and interval use the SD between seeds, pooled over "
    "the networks that have several seeds. The exact permutation test is two-sided; its p cannot be smaller than the "
    "last column.",
}


@st.cache_resource(max_entries=1, show_spinner=False)
def _networks(changed: tuple[float, ...]) -> tuple[tuple[Card, ...], UserNetworks]:
    """Return the cards of the demo models and the networks of the user; read again after a card is added."""
    del changed  # part of the key
    return family_cards(), user_networks.user_networks()


@st.cache_resource(max_entries=3 * len(DESIGN_CHOICES), show_spinner=False)
def _report(
    title: str, cost: CostOf, changed: tuple[float, ...], _cards: tuple[Card, ...], _yours: UserNetworks
) -> Report:
    """Return the report on a design choice with its drawn charts; made again after a card or the responses change."""
    del changed  # part of the key
    return design_report(next(one for one in DESIGN_CHOICES if one.title == title), _cards, cost=cost, yours=_yours)


def page(header: PageHeader) -> None:
    """Draw the page."""
    measured = (path.stat().st_mtime if path.is_file() else 0.0 for path in (bundled_path(), of_user()))
    changed = (pretrained.changed(), user_networks.changed(), *measured)
    cards, yours = _networks(changed)
    choices = {
        one.title: one for one in DESIGN_CHOICES if sum(card.network.gated for card in variants_of(one, cards)) > 1
    }
    titles = list(choices)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        title = choose("Design choice", titles, "differ", at_first=titles.index(RATIO.title), segmented=True)
        design_choice = choices[title]
        cost: CostOf = "r"
        if design_choice is RATIO:
            cost = choose("Horizontal axis", get_args(CostOf), "cost", segmented=True)
    report = _report(title, cost, changed, cards, yours)
    header.question.title(report.question, anchor=False)
    chart.say_provenance(report.source)
    parts = report.parts
    verdicts = (*parts["verdicts"], *parts["yours"])
    header.answer.markdown("\n\n".join(emphasised(_verdict(sentence)) for sentence in parts["verdicts"]))
    # The evidence fills the first screen of a phone, where the chart should be.
    with st.popover("Evidence for the verdict" + "s" * (len(verdicts) > 1), icon=":material/list:", type="tertiary"):
        for sentence in verdicts:
            st.markdown(emphasised(sentence))
    notes.warn(report.notes, "networks")
    own = beside_family.beside(header.model)
    if own is not None:
        st.caption(
            escape_markdown(
                f"{own.name}, the network in the sidebar, is drawn beside the demo models in the tabs Patterns, Your "
                "images, Predictions and Cost. Its accuracy is not measured here; the tab Cost has the command that "
                "measures it."
            )
        )
    loadable = tuple(card for card in yours.cards if card.name in yours.weights and not card.seed)
    explained = " ".join(map(emphasised, (*parts["limits"], *parts["what it is"])))
    contents: dict[str, Callable[[], None]] = {
        "Accuracy": partial(_accuracy, report, design_choice.table, explained),
        "Patterns": partial(_patterns, header, design_choice, (*cards, *yours.cards), own, report),
        "Your images": partial(model_comparison.images, header, design_choice, cards, loadable, own),
        "Predictions": partial(model_comparison.predictions, header, (*cards, *loadable), own),
        "Comparisons": partial(_comparisons, report, design_choice.table),
        "Models": partial(_family, report),
        "Cost": partial(_cost, design_choice, cards, own),
        "Export": partial(_take_away, header, design_choice, (*cards, *yours.cards), own, report),
    }
    tabs.show(contents, former_names.TABS["reduction"])


def _verdict(sentence: str) -> str:
    """Return the verdict at the start of a sentence, without its evidence."""
    return f"**{sentence.removeprefix('**').partition('**')[0]}**"


def _accuracy(report: Report, table: int, limits: str) -> None:
    """Draw the accuracy of the demo models, and the paper's."""
    chart.row([report.charts["family"], report.charts[f"table_{table}"]])
    st.caption(limits)


def _patterns(
    header: PageHeader,
    choice: DesignChoice,
    cards: tuple[Card, ...],
    own: Beside | None,
    report: Report,
) -> None:
    """Draw SD, saturation, effective rank and similarity by depth, over the validation set, with a summary."""
    words, how_measured = report.parts["responses"], report.how_measured
    if own is not None and (of_own := own.report(choice, cards, header.chosen)):
        st.markdown(" ".join(map(emphasised, of_own.sentences[1:])))
        report = own.added_to(report, of_own)
        chart.say_provenance(report.source)
    shown = [report.charts[name] for name in report.charts if name.endswith("_by_gate")]
    if not shown:
        st.info(how_measured)
        return
    st.markdown(" ".join(map(emphasised, words)))
    chart.row(shown)
    st.caption(how_measured)


def _comparisons(report: Report, table: int) -> None:
    """Draw the tests of each network against r = 16, and the accuracies beside the paper's."""
    st.header("Each network compared with r = 16", anchor=False)
    for name, explained in _TESTS.items():
        if len(report.tables[name]):
            tests = with_minus(report.tables[name], points="+.2f")
            st.dataframe(tests, hide_index=True, column_config=_COMPARED)
            st.caption(explained)
    st.header(f"Beside the paper's Table {table}", anchor=False)
    st.dataframe(report.tables["beside_paper"], hide_index=True, column_config=_PAPER)
    st.caption(
        "Here: SE-ResNet-26 on Imagenette, seed 0 and all seeds. In the paper (Hu et al., arXiv 1709.01507): "
        "SE-ResNet-50 on ImageNet, one centre crop."
    )


def _family(report: Report) -> None:
    st.dataframe(report.tables["demo_models"], hide_index=True, column_config=_COLUMNS)
    st.caption(
        "The demo models have the same recipe, and the same seed unless the name has another. The name "
        "of each says in what it differs from r = 16. Networks that you train with se-viz train are listed, too. "
        "Top-1 on the 3,925 validation images of Imagenette, one centre crop of 128 pixels, with Wilson's 95% interval."
    )


def _cost(choice: DesignChoice, cards: tuple[Card, ...], own: Beside | None) -> None:
    """Draw the cost of the network in the sidebar beside that of the demo models, and the calculator."""
    if own is not None:
        own.show_cost(choice, cards)
    cost_calculator.show()


def _take_away(
    header: PageHeader, choice: DesignChoice, cards: tuple[Card, ...], own: Beside | None, report: Report
) -> None:
    """Draw the download of the report, with the network in the sidebar beside the demo models, and the code."""
    command = f'python -m se_viz family --what "{choice.title}"'
    if own is not None and (of_own := own.report(choice, cards, header.chosen)):
        report = own.added_to(report, of_own)
        command = " ".join(filter(None, [command, shell_images(header.chosen), shell_options(own.model)]))
    report_download.show(lambda: report, "reduction")
    st.markdown(
        "Each table can be saved as CSV at its corner, each chart with its Save button. The same numbers from Python, "
        "and from a shell:"
    )
    python = (
        "import se_viz\nfrom se_viz.analysis.demo_responses import Responses, bundled_path\n"
        "from se_viz.demo import pretrained\n\n"
        "for card in pretrained.cards():\n    card.name, card.params, card.macs, card.accuracy  # with its interval\n"
        "Responses.read(bundled_path()).networks['r16'].gates['SE_5_2']  # spread, saturation, effective rank\n"
        "se_viz.capture(se_viz.load('demo/r4'), se_viz.sample('cat'))['SE_5_2'].s\n"
        "se_viz.insert_gates(network, r=16)  # any CNN; se_viz.cost(network, 224) counts it"
    )
    st.code(python, language="python")
    st.code(
        f"{command}\npython -m se_viz responses\n"
        "python -m se_viz inspect --sample cat --model demo/r4\npython -m se_viz cost resnet50 --r 16 --time",
        language="bash",
    )
