// Parts of answers: numbers, bars, marked texts, tables, boxes on a picture.

import { draw, make } from "./dom.js";

export const percent = (score) => `${(100 * score).toFixed(1)}%`;
export const short = (value) => (Number.isInteger(value) ? String(value) : Number(value.toPrecision(4)).toString());

// One bar a label. isShare: scores from 0 to 1, shown as percent; others are drawn in proportion to the largest.
export function bars(labels, scores, isShare, most = 0) {
  const largest = isShare ? 1 : most || Math.max(...scores.map(Math.abs)) || 1;
  const rows = labels.map((label, place) => {
    const fill = make("span", { class: scores[place] < 0 ? "fill negative" : "fill" });
    fill.style.width = `${(100 * Math.min(1, Math.abs(scores[place]) / largest)).toFixed(2)}%`;
    const number = isShare ? percent(scores[place]) : short(scores[place]);
    const track = make("span", { class: "track", "aria-hidden": "true" }, fill);
    return make("li", {}, make("span", { class: "label" }, label), track, make("span", { class: "number" }, number));
  });
  return make("ol", { class: "bars" }, ...rows);
}

// The text with its spans marked. start and end count characters as Python does: a character beyond U+FFFF is one.
export function marked(text, spans) {
  const characters = Array.from(text);
  const kinds = [...new Set(spans.map((span) => span.label))];
  const parts = [];
  let at = 0;
  for (const span of [...spans].sort((one, other) => one.start - other.start)) {
    if (span.start < at) continue; // overlaps the last one
    parts.push(characters.slice(at, span.start).join(""));
    const tag = span.label ? [make("span", { class: "tag" }, span.label)] : [];
    const mark = make("mark", { class: `kind-${kinds.indexOf(span.label) % 6}` });
    mark.append(characters.slice(span.start, span.end).join(""), ...tag);
    parts.push(mark);
    at = span.end;
  }
  return make("p", { class: "text" }, ...parts, characters.slice(at).join(""));
}

// rows: lists of texts, numbers or nodes.
export function table(columns, rows) {
  const head = make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.map(tableRow)));
}

export function tableRow(cells) {
  const made = cells.map((cell) =>
    typeof cell === "number" ? make("td", { class: "number" }, short(cell)) : make("td", {}, cell),
  );
  return make("tr", {}, ...made);
}

// The numbers of an embedding as strokes up and down: two texts that look alike are alike.
export function strokes(numbers, title) {
  const largest = Math.max(...numbers.map(Math.abs)) || 1;
  const shown = numbers.slice(0, 128);
  const lines = shown.map((number, place) =>
    draw("rect", {
      x: place,
      width: 0.8,
      y: number > 0 ? 10 - (10 * number) / largest : 10,
      height: Math.max(0.2, (10 * Math.abs(number)) / largest),
    }),
  );
  const box = { viewBox: `0 0 ${shown.length} 20`, preserveAspectRatio: "none", class: "strokes", role: "img" };
  return draw("svg", { ...box, "aria-label": title }, ...lines);
}

// boxes: four corners a word, in pixels of the picture.
export function boxed(picture, words, boxes) {
  const { naturalWidth: width, naturalHeight: height } = picture;
  const shapes = words.map((word, place) => {
    const corners = boxes.slice(8 * place, 8 * place + 8);
    return draw("polygon", { points: corners.join(" ") }, draw("title", {}, word));
  });
  const over = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...shapes);
  return make("div", { class: "picture" }, picture, over);
}

export function tensors(outputs) {
  const parts = outputs.map(({ name, datatype, shape, data }) => {
    const most = 2000;
    const more = data.length > most ? ` … ${data.length - most} more` : "";
    const text = data.slice(0, most).map((each) => JSON.stringify(each)).join(", ") + more;
    const code = make("pre", { tabindex: "0", "aria-label": `Data of ${name}` }, text);
    return make("div", {}, make("h3", {}, `${name} ${datatype} [${shape.join(", ")}]`), code);
  });
  return make("div", {}, ...parts);
}
