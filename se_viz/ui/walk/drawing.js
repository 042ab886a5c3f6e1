// The block as in Figure 1 to 3 of the paper, from left to right; the gate is the path above. Its parts say which step
// lights them up.
function drawing(flow, narrow) {
  const tile = narrow ? 0 : 84, round = narrow ? 13 : 21, size = narrow ? 13 : 19, parts = [], lines = [];
  const main = narrow ? 92 : 146, top = narrow ? 24 : 26;
  const names = [["image", "image", narrow ? "Im" : "Image", true]], below = narrow ? "" : `_${flow.c}`;
  if (flow.convolution) {
    names.push(["x", "image filter", "X", true], ["V", "filter", narrow ? "V∗" : `V ∗`, false]);
    if (flow.norm) names.push(["N", "norm", flow.norm, false]);
  }
  names.push(["u", "norm squeeze scale", `U${below}`, true], ["·", "scale", "×", false], ["x_tilde", "scale add", `X̃${below}`, true]);
  if (flow.joined) names.push(["+", "add", "+", false]);
  names.push([flow.joined || !flow.mixed ? "out" : "mix", "add", flow.mixed ? "next" : "Out", !flow.mixed]);
  const narrowed = narrow ? names.filter(([name]) => name !== "x_tilde") : names;
  // The gate needs room above the way from U to the product.
  const gateWide = flow.bottleneck ? 300 : 200;
  const widths = narrowed.map(([name, , , isTile]) => (isTile && !narrow ? tile + 26 : 2 * round + (narrow ? 14 : name === "·" ? gateWide - 110 : 30)));
  const total = widths.reduce((sum, wide) => sum + wide, 0), place = {};
  let x = 0;
  narrowed.forEach(([name, lights, label, isTile], index) => {
    const centre = name === "·" && !narrow ? x + widths[index] - round - 15 : x + widths[index] / 2, half = isTile && !narrow ? tile / 2 : round;
    place[name] = { x: centre, half };
    if (index) {
      const before = place[narrowed[index - 1][0]];
      lines.push(arrow([[before.x + before.half + 2, main], [centre - half - 3, main]], lights));
    }
    parts.push(isTile && !narrow ? thumb(name, centre, main, tile, lights, label, size) : circle(centre, main, round, lights, label, size));
    x += widths[index];
  });
  const steps = [["z", "squeeze bottleneck", "z"], ...(flow.bottleneck ? [["h", "bottleneck excite", "h"]] : []), ["s", "excite scale", "s"]];
  const from = place.u.x, to = place["·"].x, middle = (from + to) / 2, spread = narrow ? 46 : (to - from) / 2 - round - 26;
  const first = Math.max(round + 2, middle - spread), last = first + 2 * spread, turn = narrow ? main - 26 : top;
  const spots = steps.map((_, index) => first + (last - first) * (steps.length > 1 ? index / (steps.length - 1) : 0.5));
  const up = narrow ? [[spots[0], turn], [spots[0], top + round + 3]] : [[spots[0] - round - 3, top]];
  lines.push(arrow([[from, main - (narrow ? round : tile / 2) - 2], [from, turn], ...up], "squeeze"));
  steps.forEach(([name, lights, label], index) => {
    if (index) lines.push(arrow([[spots[index - 1] + round + 2, top], [spots[index] - round - 3, top]], lights.split(" ")[0]));
    parts.push(circle(spots[index], top, round, lights, label, size));
  });
  const end = spots[spots.length - 1], start = narrow ? [[end, top + round + 2], [end, turn]] : [[end + round + 2, top]];
  lines.push(arrow([...start, [to, turn], [to, main - round - 3]], "excite scale"));
  let low = main + (narrow ? round : tile / 2) + (narrow ? 6 : size + 10);
  if (flow.joined) {
    const start = narrow ? place.image.x + round + 7 : place.image.x + tile / 2 + 13;
    lines.push(arrow([[start, main + 1], [start, low + (narrow ? 8 : 12)], [place["+"].x, low + (narrow ? 8 : 12)], [place["+"].x, main + round + 3]], "add"));
    const label = flow.identity ? "identity" : "other branch of the block";
    parts.push(`<g data-lights="add"><text x="${(start + place["+"].x) / 2}" y="${low + (narrow ? 22 : 32)}" text-anchor="middle" font-size="${narrow ? 12 : 16}">${label}</text></g>`);
    low += narrow ? 28 : 40;
  }
  const labels = narrow ? "" : [["z", flow.z], ["h", flow.h], ["s", flow.s]].map(([name, label]) => {
    const index = steps.findIndex(([step]) => step === name);
    return index < 0 || !label ? "" : `<text x="${spots[index]}" y="${top + round + 17}" text-anchor="middle" font-size="15">${label}</text>`;
  }).join("");
  return `<svg viewBox="0 0 ${total} ${low + 4}" role="img">${lines.join("")}${parts.join("")}${labels}</svg>`;
}

function circle(x, y, half, lights, label, size) {
  return `<g class="node" data-lights="${lights}"><rect class="frame" x="${x - half}" y="${y - half}" width="${2 * half}" height="${2 * half}" rx="${half}"/><text x="${x}" y="${y + size * 0.34}" text-anchor="middle" font-size="${label.length > 3 ? size * 0.72 : size}">${subscript(label)}</text></g>`;
}

function thumb(name, x, y, side, lights, label, size) {
  const half = side / 2;
  return `<g class="node" data-lights="${lights}"><rect class="frame" x="${x - half - 2}" y="${y - half - 2}" width="${side + 4}" height="${side + 4}" rx="5"/><image data-map="${name}" x="${x - half}" y="${y - half}" width="${side}" height="${side}" preserveAspectRatio="xMidYMid slice"/><text x="${x}" y="${y + half + size + 3}" text-anchor="middle" font-size="${size}">${subscript(label)}</text></g>`;
}

function subscript(label) {
  const [name, below] = label.split("_");
  return below === undefined ? name : `${name}<tspan dy="0.25em" font-size="72%">${below}</tspan>`;
}

function arrow(points, lights) {
  const [[x0, y0], [x1, y1]] = points.slice(-2);
  const length = Math.hypot(x1 - x0, y1 - y0) || 1, dx = (x1 - x0) / length, dy = (y1 - y0) / length;
  const tip = [[x1, y1], [x1 - 7 * dx - 4 * dy, y1 - 7 * dy + 4 * dx], [x1 - 7 * dx + 4 * dy, y1 - 7 * dy - 4 * dx]];
  return `<polyline class="line" data-lights="${lights}" points="${points.map((point) => point.join(",")).join(" ")}"/><polygon class="head" points="${tip.map((point) => point.join(",")).join(" ")}"/>`;
}
