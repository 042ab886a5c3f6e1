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
    on(".present", "click", () => window.seVizView?.present(false));
    on(".scrubber", "input", (event) => this.go(Number(event.target.value) - 1, true));
    for (const name of [".row", ".column"]) on(name, "change", () => this.ask(Number(this.get(".row").value), Number(this.get(".column").value)));
    on(".stage", "pointerenter", (event) => this.hover(event.pointerType === "mouse"));
    on(".stage", "pointerleave", () => this.hover(false));
    this.keys = (event) => this.key(event);
  }

  get(name) { return this.root.querySelector(name); }

  update(data, send) {
    const first = !this.data;
    const key = first ? data.step : this.data.steps[this.at].key;
    const drawn = this.data && this.data.identity === data.identity && String(this.data.pixel) === String(data.pixel);
    this.data = data;
    this.send = send;
    // The page hides the button that began the presentation, and all else above the walk-through.
    this.root.classList.toggle("presenting", data.present);
    this.get(".present").hidden = !data.present;
    const found = data.steps.findIndex((step) => step.key === key);
    this.at = found < 0 ? Math.min(this.at, data.steps.length - 1) : found;
    document.addEventListener("keydown", this.keys);
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
    if (event.key === "Escape" && this.data.present) { window.seVizView?.present(false); return; }
    const from = event.composedPath()[0];
    // Arrow keys belong to whatever takes them itself: fields, lists, sliders, tabs and tables.
    if (from instanceof Element && from.closest("input, textarea, select, [contenteditable], [role=slider], [role=tab], [role=radio], [role=radiogroup], [role=combobox], [role=listbox], [role=menu], [role=grid], .scroll")) return;
    if (event.key === "ArrowRight") this.go(this.at + 1, true);
    else if (event.key === "ArrowLeft") this.go(this.at - 1, true);
    else return;
    event.preventDefault();
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
