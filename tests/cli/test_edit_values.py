"""The grammar of values of s in the shell: what is written is read, and what is not taken gets a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from se_viz.cli import ablate, attribute, freeze, intervene
from se_viz.cli.app import app
from se_viz.cli.edit_values import OTHER, EditOption, PlacedValue, joined, parse_edit, parse_edits
from se_viz.interventions.edits import MeanOf, Scale, Shuffle

OPTIONS = {
    "intervene": intervene._SET,
    "ablate": ablate._SET,
    "freeze": freeze._SET,
    "attribute": attribute._BASELINE,
}
ALL = EditOption(("number", "mean", "mean of CLASS", "shuffled", "scale", "other"))

space = st.sampled_from(["", " ", "  "])
number = st.floats(allow_nan=False)
written = st.sampled_from(["{!r}", "{:.3g}", "{:e}", "{:+}"])
name = st.text(min_size=1).map(str.strip).filter(bool)
gate = st.builds(
    "SE_{}_{}{}".format, st.integers(0, 6), st.integers(1, 99), st.sampled_from(["", "b"])
) | st.sampled_from(["stage 4", "all"])


@st.composite
def values(draw):
    """A form, a text, and what it means."""
    form = draw(st.sampled_from(ALL.forms))
    if form == "number":
        text = draw(written).format(draw(number))
        return form, text, float(text)
    if form == "scale":
        text = draw(written).format(draw(number))
        return form, f"{text}{draw(space)}s", Scale(float(text))
    if form == "shuffled":
        seed = draw(st.none() | st.integers(0, 10**9))
        return form, "shuffled" if seed is None else f"shuffled {seed}", Shuffle(seed or 0)
    if form == "mean of CLASS":
        said = draw(name)
        return form, draw(st.sampled_from(["mean of ", "mean:"])) + said, MeanOf(said)
    return form, form, {"mean": "mean", "other": OTHER}[form]


places = st.tuples(gate, st.lists(st.integers(0, 3000), max_size=4))


@given(values(), st.none() | places, st.sampled_from(list(OPTIONS)), space, space)
def test_what_is_written_is_read_or_refused_with_the_reason(value, place, command, before, after):
    form, text, meaning = value
    option = OPTIONS[command]
    expected = PlacedValue("", (), meaning)
    if place is not None:
        where, channels = place
        inside = f"[{f'{after},{before}'.join(map(str, channels))}]" if channels else ""
        text = f"{where}{before}{inside}{before}={after}{text}"
        expected = PlacedValue(where, tuple(dict.fromkeys(channels)), meaning)
    taken = form in option.forms
    taken &= {"none": place is None, "gates": place is not None and not place[1], "any": True}[option.places]
    text = f"{before}{text}{after}"
    if taken:
        assert parse_edit(text, option) == expected
        return
    with pytest.raises(ValueError, match=option.name) as caught:
        parse_edit(text, option)
    assert str(caught.value).endswith(option.refused)


@given(st.text())
def test_any_text_is_read_or_refused_in_a_sentence(text):
    for option in OPTIONS.values():
        try:
            found = parse_edit(text, option)
        except ValueError as error:
            assert option.name in str(error)  # noqa: PT017 - either may happen
        else:
            assert isinstance(found.value, float | MeanOf | Shuffle | Scale) or found.value in ("mean", OTHER)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "=", "=1", "SE_5_2=", "SE_5_2[]=1", "SE_5_2[3=1", "SE_5_2]3[=1", "[3]=1", "SE_5_2[3,]=1"),
        *("SE_5_2[-3]=1", "SE_5_2[3.0]=1", "SE_5_2[٣]=1", "SE_5_2[3][4]=1", "SE_5_2[3]x=1", "SE_5_2=SE_5_1=1"),
        *(
            "mean of ",
            "mean:",
            "Mean",
            "shuffled -1",
            "shuffled 1.5",
            "shuffled3",
            "shuffled ٣",
            "s",
            "1_0",
            "٣",
            "0,5",
        ),
    ],
)
def test_what_is_nearly_right_is_wrong(text):
    with pytest.raises(ValueError, match="is not a value of --set, which takes"):
        parse_edit(text, ALL)


@pytest.mark.slow
@given(st.lists(st.tuples(places, values()), max_size=5))
def test_edits_that_are_made_together_lose_nothing(given_edits):
    parsed = [PlacedValue(where, tuple(dict.fromkeys(at)), meaning) for (where, at), (_, _, meaning) in given_edits]
    named = [(one.gate, channel) for one in parsed for channel in one.channels or (None,)]
    whole = {where for where, channel in named if channel is None}
    several = {one.gate for one in parsed if sum(other.gate == one.gate for other in parsed) > 1}
    if len(set(named)) < len(named) or whole & several:
        with pytest.raises(ValueError, match=r"--set names .* twice\."):
            joined(parsed, ALL)
        return
    edits = joined(parsed, ALL)
    for one in parsed:
        edit = edits[one.gate]
        assert edit == one.value if not one.channels else all(edit[channel] == one.value for channel in one.channels)
    assert sum(len(edit) if isinstance(edit, dict) else 1 for edit in edits.values()) == len(named)


@given(st.lists(values(), min_size=1, max_size=3), st.lists(gate, min_size=1, max_size=2))
def test_a_gate_is_named_in_one_way(given_values, gates):
    texts = [text for _, text, _ in given_values]
    assert [one.value for one in parse_edits(texts, ALL, gates)] == [meaning for _, _, meaning in given_values]
    placed = [f"{gates[0]}={text}" for text in texts]
    assert {one.gate for one in parse_edits(placed, ALL, ())} == {gates[0]}
    with pytest.raises(ValueError, match="both name a gate"):
        parse_edits(placed, ALL, gates)
    with pytest.raises(ValueError, match="in some values only"):
        parse_edits([texts[0], *placed], ALL, ())


@pytest.mark.parametrize("command", OPTIONS)
def test_the_help_says_what_is_taken_and_what_is_not(command):
    option = OPTIONS[command]
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "400", "TERMINAL_WIDTH": "400"}).output
    plain = " ".join(shown.replace("│", " ").split())
    assert option.help in plain
    assert bool(option.refused) == (set(option.forms) != set(ALL.forms))
