// Elements, texts, maps and bars of the walk-through.

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
