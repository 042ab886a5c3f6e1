// The walk-through in the page. The script owns the step: Python's is taken only when the component is made, because a
// rerun that another widget causes would send an old one back.
const SECONDS = 7;
const LONG = { u: "U", x_tilde: "X̃", conv: "V ∗ X", out: "Output", added: "Shortcut", image: "Image", x: "X", v: "V", z: "z", h: "h", s: "s", w: "W" };

class Player {
  constructor(root) {
    this.root = root.querySelector(".walk");
    this.at = 0;
    this.panel = "";
    this.timer = 0;
    this.playing = false;
    this.over = false;
    const on = (name, kind, act) => this.get(name).addEventListener(kind, act);
    on(".back", "click", () => this.go(this.at - 1, true));
    on(".next", "click", () => this.go(this.at + 1, true));
    on(".play", "click", () => this.play(!this.playing));
    on(".present", "click", () => this.present(!this.root.classList.contains("presenting")));
    on(".scrubber", "input", (event) => this.go(Number(event.target.value) - 1, true));
    for (const name of [".row", ".column"]) on(name, "change", () => this.ask(Number(this.get(".row").value), Number(this.get(".column").value)));
    on(".stage", "pointerenter", (event) => this.hover(event.pointerType === "mouse"));
    on(".stage", "pointerleave", () => this.hover(false));
    this.keys = (event) => this.key(event);
    this.left = () => { if (!document.fullscreenElement) this.present(false); };
  }

  get(name) { return this.root.querySelector(name); }

  update(data, send) {
    const first = !this.data;
    const key = first ? data.step : this.data.steps[this.at].key;
    const drawn = this.data && this.data.identity === data.identity && String(this.data.pixel) === String(data.pixel);
    this.data = data;
    this.send = send;
    const found = data.steps.findIndex((step) => step.key === key);
    this.at = found < 0 ? Math.min(this.at, data.steps.length - 1) : found;
    document.addEventListener("keydown", this.keys);
    document.addEventListener("fullscreenchange", this.left);
    if (drawn) return;
    this.luts = Object.fromEntries(Object.entries(data.colours).map(([name, colours]) => [name, lut(colours)]));
    this.get(".scrubber").max = data.steps.length;
    this.opened();
    this.table();
    this.flow();
    this.show(!first);
  }

  stop() {
    document.removeEventListener("keydown", this.keys);
    document.removeEventListener("fullscreenchange", this.left);
    clearTimeout(this.timer);
  }

  go(at, byHand) {
    const to = Math.max(0, Math.min(this.data.steps.length - 1, at));
    if (byHand && this.playing) this.play(false);
    if (to === this.at) return;
    this.at = to;
    this.panel = "";
    this.show(true);
  }

  play(on) {
    this.playing = on;
    const button = this.get(".play");
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "❚❚ Pause" : "▶ Play";
    if (on && this.at === this.data.steps.length - 1) { this.at = 0; this.panel = ""; this.show(true); }
    this.wait();
  }

  wait() {
    clearTimeout(this.timer);
    this.get(".hold").hidden = !(this.playing && this.over);
    if (!this.playing || this.over) return;
    this.timer = setTimeout(() => {
      if (this.at === this.data.steps.length - 1) { this.play(false); return; }
      this.go(this.at + 1, false);
      this.wait();
    }, SECONDS * 1000);
  }

  hover(over) { this.over = over; this.wait(); }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented || !this.root.isConnected) return;
    if (event.key === "Escape" && this.root.classList.contains("presenting")) { this.present(false); return; }
    const from = event.composedPath()[0];
    // Arrow keys belong to whatever takes them itself: fields, lists, sliders, tabs and tables.
    if (from instanceof Element && from.closest("input, textarea, select, [contenteditable], [role=slider], [role=tab], [role=radio], [role=radiogroup], [role=combobox], [role=listbox], [role=menu], [role=grid], .scroll")) return;
    if (event.key === "ArrowRight") this.go(this.at + 1, true);
    else if (event.key === "ArrowLeft") this.go(this.at - 1, true);
    else return;
    event.preventDefault();
  }

  present(on) {
    if (on === this.root.classList.contains("presenting")) return;
    this.root.classList.toggle("presenting", on);
    const button = this.get(".present");
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Leave" : "Present";
    if (on && this.root.requestFullscreen) this.root.requestFullscreen().catch(() => {});
    else if (!on && document.fullscreenElement) document.exitFullscreen().catch(() => {});
    button.focus();
  }

  ask(row, column) {
    const [height, width] = this.data.shape;
    const within = (value, size) => Math.max(0, Math.min(size - 1, Math.round(value) || 0));
    const at = [within(row, height), within(column, width)];
    address("pixel", at.join(","));
    this.send("pixel", { of: this.data.identity, at });
  }

  show(moved) {
    const step = this.data.steps[this.at];
    const count = this.data.steps.length;
    this.get(".count").textContent = `${this.at + 1} of ${count}`;
    const scrubber = this.get(".scrubber");
    scrubber.value = this.at + 1;
    scrubber.setAttribute("aria-valuetext", `Step ${this.at + 1} of ${count}: ${step.title}`);
    this.get(".back").disabled = this.at === 0;
    this.get(".next").disabled = this.at === count - 1;
    this.get(".title").replaceChildren(...rich(step.title));
    this.get(".sentence").replaceChildren(...rich(step.sentence));
    this.get(".arithmetic").replaceChildren(...step.arithmetic.map((text) => element("li", text)));
    this.root.dataset.step = step.key;
    const panels = step.panels.filter((name) => name === "image" || this.data.maps[name] || this.data.vectors[name]);
    if (!panels.includes(this.panel)) this.panel = panels[panels.length - 1];
    this.get(".tabs").replaceChildren(...panels.map((name) => {
      const button = element("button", LONG[name]);
      button.type = "button";
      button.setAttribute("aria-pressed", String(name === this.panel));
      button.addEventListener("click", () => { this.panel = name; this.show(false); });
      return button;
    }));
    this.get(".panels").replaceChildren(...panels.map((name) => this.figure(name)));
    for (const node of this.root.querySelectorAll("[data-lights]")) node.classList.toggle("lit", node.dataset.lights.split(" ").includes(step.key));
    this.get(".open").hidden = !this.data.opened;
    if (moved) address("step", step.key);
  }

  figure(name) {
    const figure = element("figure");
    figure.className = name === this.panel ? "panel chosen" : "panel";
    figure.dataset.panel = name;
    const map = this.data.maps[name];
    const vector = this.data.vectors[name];
    if (name === "image") {
      const image = element("img");
      image.src = this.data.image;
      image.alt = `The image as the network sees it: ${this.data.about}`;
      figure.append(image, element("figcaption", "The image as the network sees it"));
    } else if (map) {
      const canvas = drawMap(map, this.luts[map.scale], 320);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${map.label}, values from ${map.range}`);
      if (map.pixel) this.mark(canvas, map);
      if (name === "x" && this.data.window.length && this.data.steps[this.at].key === "filter") this.marks(canvas, map);
      figure.append(canvas, element("figcaption", map.label), scaleKey(map, this.data.colours[map.scale]));
    } else if (vector) {
      const canvas = drawVector(vector, getComputedStyle(this.root));
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${vector.label}, from ${vector.range}; ${vector.says}`);
      const says = element("figcaption", `${vector.label}, ${vector.range}. `);
      says.append(element("strong", vector.says));
      figure.append(canvas, says);
    }
    return figure;
  }

  // The open pixel on a map of this channel, and clicks that open another one.
  mark(canvas, map) {
    const [height, width] = this.data.shape;
    const [row, column] = this.data.pixel;
    const sx = canvas.width / width, sy = canvas.height / height;
    ring(canvas, column * sx, row * sy, sx, sy);
    if (!this.data.opened) return;
    canvas.classList.add("pick");
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      this.ask(Math.floor((event.clientY - box.top) / box.height * height), Math.floor((event.clientX - box.left) / box.width * width));
    });
  }

  // The pixels of each map of X that the open pixel looks at.
  marks(canvas, map) {
    const [top, left, tall, wide, height, width] = this.data.window;
    const { columns, pitch, tile, scale } = canvas.grid;
    map.numbers.forEach((_, index) => {
      const x = (index % columns) * pitch * scale, y = Math.floor(index / columns) * pitch * scale;
      const sx = tile * scale / width, sy = canvas.grid.tall * scale / height;
      const x0 = Math.max(0, left), y0 = Math.max(0, top);
      ring(canvas, x + x0 * sx, y + y0 * sy, (Math.min(width, left + wide) - x0) * sx, (Math.min(height, top + tall) - y0) * sy);
    });
  }

  opened() {
    const opened = this.data.opened;
    if (!opened) return;
    const [row, column] = this.data.pixel;
    this.get(".open summary").replaceChildren(...rich(`Open one pixel of (V ∗ X)_${this.data.flow.c}: the ${opened.count.toLocaleString("en")} products at row ${row}, column ${column}`));
    this.get(".row").value = row;
    this.get(".column").value = column;
    this.get(".row").max = this.data.shape[0] - 1;
    this.get(".column").max = this.data.shape[1] - 1;
    const rows = opened.rows.map((cells) => line(cells));
    if (opened.more) rows.push(line([`${opened.more.toLocaleString("en")} more`, "", "", "", opened.rest]));
    if (opened.bias) rows.push(line(["bias", "", "", "", opened.bias]));
    if (opened.padding) rows.push(line([`${opened.padding.toLocaleString("en")} of padding`, "", "0", "", "0"]));
    rows.push(line(["sum", "", "", "", opened.sum], "th"));
    this.get(".products tbody").replaceChildren(...rows);
  }

  table() { this.get(".numbers tbody").replaceChildren(...this.data.table.map((cells) => line(cells.slice(0, 3)))); }

  flow() {
    const narrow = this.root.clientWidth < 640;
    this.get(".flow").innerHTML = drawing(this.data.flow, narrow);
    const svg = this.get(".flow svg");
    svg.setAttribute("aria-label", `The block with its gate, ${this.data.about}; the current step is highlighted`);
    for (const slot of svg.querySelectorAll("image")) {
      const name = slot.dataset.map;
      const map = this.data.maps[name];
      if (name === "image") slot.setAttribute("href", this.data.image);
      else if (map) slot.setAttribute("href", drawMap(map, this.luts[map.scale], 96).toDataURL());
    }
    for (const node of svg.querySelectorAll(".node")) {
      node.addEventListener("click", () => {
        const found = this.data.steps.findIndex((step) => node.dataset.lights.split(" ").includes(step.key));
        if (found >= 0) this.go(found, true);
      });
    }
  }
}

function element(tag, text) {
  const made = document.createElement(tag);
  if (text !== undefined) made.append(...rich(text));
  return made;
}

// A text in which the number of U_12, z_12 and the like is a subscript, but not those of SE_3_1.
function rich(text) {
  return String(text).split(/(?<=[UXzhsv)\u0303])_(\d+)/u).map((part, index) => {
    if (index % 2 === 0) return part;
    const below = document.createElement("sub");
    below.textContent = part;
    return below;
  });
}

function line(cells, tag = "td") {
  const row = element("tr");
  row.append(...cells.map((text) => element(tag, text)));
  return row;
}

function address(name, value) {
  const url = new URL(window.location.href);
  url.searchParams.set(name, value);
  window.history.replaceState(window.history.state, "", url);
}

function lut(colours) {
  const parts = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  return Array.from({ length: 256 }, (_, level) => {
    const place = level / 255 * (parts.length - 1), low = Math.min(parts.length - 2, Math.floor(place)), share = place - low;
    return parts[low].map((value, at) => Math.round(value + (parts[low + 1][at] - value) * share));
  });
}

// Maps as squares side by side, each number a whole square of pixels.
function drawMap(map, colours, side) {
  const [count, height, width] = map.size;
  const bytes = Uint8Array.from(atob(map.data), (letter) => letter.charCodeAt(0));
  const columns = Math.ceil(Math.sqrt(count * height / width)), rows = Math.ceil(count / columns);
  const gap = count > 1 ? Math.max(1, Math.round(width / 14)) : 0;
  const pitch = width + gap, small = element("canvas");
  small.width = columns * pitch - gap;
  small.height = rows * (height + gap) - gap;
  const context = small.getContext("2d");
  for (let index = 0; index < count; index += 1) {
    const tile = context.createImageData(width, height);
    for (let at = 0; at < width * height; at += 1) {
      tile.data.set([...colours[bytes[index * width * height + at]], 255], at * 4);
    }
    context.putImageData(tile, (index % columns) * pitch, Math.floor(index / columns) * (height + gap));
  }
  const scale = Math.max(1, Math.ceil(side / small.width)), canvas = element("canvas");
  canvas.width = small.width * scale;
  canvas.height = small.height * scale;
  canvas.grid = { columns, pitch, tile: width, tall: height, scale };
  const large = canvas.getContext("2d");
  large.imageSmoothingEnabled = false;
  large.drawImage(small, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function ring(canvas, x, y, wide, tall) {
  const context = canvas.getContext("2d");
  for (const [colour, width] of [["#000", 5], ["#fff", 2.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(x - 1, y - 1, Math.max(wide, 4) + 2, Math.max(tall, 4) + 2);
  }
}

function drawVector(vector, style) {
  const canvas = element("canvas"), values = vector.values;
  canvas.width = 640;
  canvas.height = 400;
  const context = canvas.getContext("2d");
  const text = style.getPropertyValue("--st-text-color"), accent = style.getPropertyValue("--st-primary-color");
  const low = Math.min(0, ...values), high = Math.max(0, vector.low === 0 ? 1 : 0, ...values);
  const span = high - low || 1, y = (value) => 14 + (high - value) / span * (canvas.height - 28);
  const wide = canvas.width / values.length, gap = wide > 4 ? Math.min(6, wide * 0.2) : 0;
  values.forEach((value, index) => {
    if (index === vector.marked) return;
    context.fillStyle = text;
    context.globalAlpha = 0.5;
    context.fillRect(index * wide + gap / 2, Math.min(y(value), y(0)), Math.max(1, wide - gap), Math.max(1, Math.abs(y(value) - y(0))));
  });
  context.globalAlpha = 1;
  context.fillStyle = text;
  context.fillRect(0, y(0), canvas.width, 2);
  const value = values[vector.marked], thick = Math.max(7, wide - gap);
  context.fillStyle = accent;
  context.fillRect((vector.marked + 0.5) * wide - thick / 2, Math.min(y(value), y(0)) - 2, thick, Math.max(4, Math.abs(y(value) - y(0)) + 4));
  return canvas;
}

function scaleKey(map, colours) {
  const key = element("div"), bar = element("i");
  key.className = "key";
  bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
  key.append(map.scale === "signed" ? `−${map.end}` : "0", bar, map.end);
  return key;
}

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
  names.push([flow.joined || !flow.mixed ? "out" : "mix", "add", flow.mixed ? "mixed" : "Out", !flow.mixed]);
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
  return below === undefined ? name : `${name}<tspan dy="0.25em" font-size="70%">${below}</tspan>`;
}

function arrow(points, lights) {
  const [[x0, y0], [x1, y1]] = points.slice(-2);
  const length = Math.hypot(x1 - x0, y1 - y0) || 1, dx = (x1 - x0) / length, dy = (y1 - y0) / length;
  const tip = [[x1, y1], [x1 - 7 * dx - 4 * dy, y1 - 7 * dy + 4 * dx], [x1 - 7 * dx + 4 * dy, y1 - 7 * dy - 4 * dx]];
  return `<polyline class="line" data-lights="${lights}" points="${points.map((point) => point.join(",")).join(" ")}"/><polygon class="head" points="${tip.map((point) => point.join(",")).join(" ")}"/>`;
}

export default function ({ data, parentElement, setStateValue }) {
  if (!parentElement.player) {
    parentElement.player = new Player(parentElement);
    // A window that becomes narrow gets the small drawing.
    new ResizeObserver(() => {
      const narrow = parentElement.player.root.clientWidth < 640;
      if (parentElement.player.narrow !== undefined && parentElement.player.narrow !== narrow) { parentElement.player.flow(); parentElement.player.show(false); }
      parentElement.player.narrow = narrow;
    }).observe(parentElement.player.root);
  }
  parentElement.player.update(data, setStateValue);
  return () => parentElement.player.stop();
}
