"""Numbers of a table with the minus sign of the sentences and charts; the columns stay numbers, and sort as such."""

from functools import partial

import pandas as pd
from pandas.io.formats.style import Styler

from se_viz.wording import signed


def with_minus(table: pd.DataFrame, **formats: str) -> Styler:
    """Return a table for ``st.dataframe`` whose negative numbers have U+2212 instead of a hyphen.

    Streamlit's own formats of numbers have a hyphen in English, and take precedence: these columns must have none.

    Args:
        table: the table.
        formats: name of a column → format of its numbers.
    """
    # With a fixed name: with one at random the table would be another one at each run, and sent again.
    styler = Styler(table, uuid="numbers")
    return styler.format({name: partial(signed, form=form) for name, form in formats.items()}, na_rep="")
