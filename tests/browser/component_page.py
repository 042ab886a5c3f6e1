"""A component whose HTML, CSS and JavaScript are made in Python, a download and a chart."""

import plotly.graph_objects as go
import streamlit as st

component = st.components.v2.component(
    "probe",
    html="<p id='probe'>waits</p>",
    css="#probe { color: rgb(1, 2, 3); }",
    js="export default ({ parentElement }) => { parentElement.querySelector('#probe').textContent = 'runs'; }",
)
component()
st.download_button("Download", b"content", "file.txt")
st.plotly_chart(go.Figure(go.Scattergl(x=[1, 2], y=[3, 4])))
st.code("import se_viz", language="python")
st.latex(r"s = \sigma(W_2 \delta(W_1 z))")
