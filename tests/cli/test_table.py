"""How the commands print tables."""

import pytest

from se_viz.cli.table import show_table

HEADERS, LEFT = ("gate", "C", "module"), ("gate", "module")
ROWS = [("SE_2_1", "96", "layer1.0.se"), ("SE_5_2", "1,024", "a[b].犬" + "x" * 300)]


@pytest.fixture
def narrow_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_table_in_a_pipe_is_plain_columns_and_no_row_is_cut_or_wrapped(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    show_table(HEADERS, ROWS, left_aligned=LEFT)
    assert capsys.readouterr().out == (
        f"gate        C  module\nSE_2_1     96  layer1.0.se\nSE_5_2  1,024  {ROWS[1][2]}\n"
    )


def test_a_table_in_a_terminal_has_a_rule_below_its_header_and_fits_it(narrow_terminal, capsys):
    show_table(HEADERS, ROWS, left_aligned=LEFT)
    out = capsys.readouterr().out
    assert "─" in out
    assert "\x1b[" in out
    assert "1,024" in out
    assert "a[b]." in out
    assert out.count("x") == 300


def test_a_table_without_rows_is_its_header(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    show_table(HEADERS, [], left_aligned=LEFT)
    assert capsys.readouterr().out == "gate  C  module\n"
