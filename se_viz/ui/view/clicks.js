// Clicks on charts and thumbnails, for which Streamlit has no event: cells of a heatmap, tiles of a tree, cards of images.

function chartOf(plot) {
  const named = plot.closest('[class*="st-key-chart_"]');
  return named && [...named.classList].find((name) => name.startsWith("st-key-chart_")).slice("st-key-chart_".length);
}

function plain(value) { return typeof value === "number" || typeof value === "string" ? value : null; }

function clicked(chart, point) {
  const row = Array.isArray(point.pointNumber) ? point.pointNumber[0] : null;
  return { chart, row, x: plain(point.x), y: plain(point.y), id: plain(point.id), custom: plain(point.customdata) };
}

function followClicks(send) {
  const known = new WeakSet();
  document.addEventListener("pointerdown", (event) => {
    const plot = event.target.closest?.(".js-plotly-plot");
    if (!plot?.on || known.has(plot)) return;
    known.add(plot);
    const said = (found) => {
      const chart = chartOf(plot);
      if (chart && found.points?.length) send(clicked(chart, found.points[0]));
    };
    plot.on("plotly_click", said);
    plot.on("plotly_icicleclick", said);
  }, true);
  document.addEventListener("click", (event) => {
    const card = event.target.closest?.(".se-card");
    if (card) send({ chart: "cards", row: [...card.parentElement.children].indexOf(card) });
  });
}
