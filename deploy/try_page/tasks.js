// What each task asks and how it shows its answer: one row a task, as in utils/tasks/ of the project.
//
// fields: label and kind of each input, in the order of the model's inputs. rows: the rows of a request, from the values
// of the fields. show: {sentence, node} of the answer's rows (for each row a list of values for each output). cells:
// [column, value] pairs of one row in the table of a batch. Without cells there are no batches.

import { make } from "./dom.js";
import { bars, marked, percent, short, strokes, table } from "./shown.js";

const TEXT = { label: "Text", kind: "text" };
const isShare = (model) => !["none", "tanh", "relu"].includes(model.settings.score_function ?? model.settings.activation);

const ranking = {
  show([[labels, scores]], values, model) {
    const share = isShare(model);
    const score = share ? percent(scores[0]) : short(scores[0]);
    return { sentence: `${labels[0]}, ${score}`, node: bars(labels, scores, share) };
  },
  cells: ([labels, scores]) =>
    labels.flatMap((label, place) => {
      const number = labels.length > 1 ? ` ${place + 1}` : "";
      return [[`label${number}`, label], [`score${number}`, scores[place]]];
    }),
};

const entities = {
  fields: [TEXT],
  read: ([[text]]) => JSON.parse(text).map((each) => ({ ...each, label: each.entity_group ?? each.entity })),
  show([row], [text]) {
    const found = entities.read(row);
    const sentence = found.length === 1 ? "1 entity" : `${found.length || "No"} entities`;
    const rows = found.map((each) => [each.label, Array.from(text).slice(each.start, each.end).join(""), percent(each.score)]);
    const listed = found.length ? [table(["label", "text", "score"], rows)] : [];
    return { sentence, node: make("div", {}, marked(text, found), ...listed) };
  },
  cells: (row) => [["entities", entities.read(row).map((each) => `${each.label}: ${each.word}`).join("; ")]],
};

const answering = {
  fields: [{ label: "Question", kind: "line" }, { label: "Context", kind: "text" }],
  show([[[answer], [score], [start], [end]]], [, context]) {
    const spans = end > start ? [{ start, end, label: "" }] : [];
    const sentence = answer ? `${answer}, ${percent(score)}` : `No answer, ${percent(score)}`;
    return { sentence, node: marked(context, spans) };
  },
  cells: ([[answer], [score], [start], [end]]) => [["answer", answer], ["score", score], ["start", start], ["end", end]],
};

const compared = {
  cosine: (one, other) => dot(one, other) / (Math.hypot(...one) * Math.hypot(...other)),
  dot,
  euclidean: (one, other) => -Math.hypot(...one.map((number, place) => number - other[place])),
  manhattan: (one, other) => -one.reduce((sum, number, place) => sum + Math.abs(number - other[place]), 0),
};

function dot(one, other) {
  return one.reduce((sum, number, place) => sum + number * other[place], 0);
}

const embedding = {
  fields: [TEXT, { label: "Text to compare with", kind: "text", optional: true }],
  rows: (values) => values.filter(Boolean).map((text) => [text]),
  show(rows, values, model) {
    const texts = values.filter(Boolean);
    const drawn = rows.map(([numbers], place) => {
      const title = `Embedding of “${texts[place].slice(0, 60)}”`;
      const all = make("details", {}, make("summary", {}, `${numbers.length} numbers`));
      all.append(make("pre", { tabindex: "0", "aria-label": title }, JSON.stringify(numbers)));
      return make("div", {}, make("h3", {}, texts[place]), strokes(numbers, title), all);
    });
    const node = make("div", {}, ...drawn);
    if (rows.length < 2) return { sentence: `An embedding of ${rows[0][0].length} numbers`, node };
    const name = model.settings.similarity ?? "cosine";
    const value = compared[name](rows[0][0], rows[1][0]);
    if (name === "cosine") node.prepend(bars(["cosine similarity"], [value], false, 1));
    return { sentence: `Similarity (${name}): ${value.toFixed(3)}`, node };
  },
  cells: ([numbers]) => numbers.map((number, place) => [String(place), number]),
};

const sparse = {
  fields: [TEXT],
  read: ([indices, weights], model) =>
    indices
      .map((index, place) => ({ index, token: model.tokens[index] ?? String(index), weight: weights[place] }))
      .filter(({ index }) => index >= 0)
      .sort((one, other) => other.weight - one.weight),
  show([row], values, model) {
    const found = sparse.read(row, model);
    const listed = (part) => bars(part.map((each) => each.token), part.map((each) => each.weight), false);
    const node = make("div", {}, listed(found.slice(0, 20)));
    if (found.length > 20) {
      node.append(make("details", {}, make("summary", {}, `${found.length - 20} more tokens`), listed(found.slice(20))));
    }
    return { sentence: `${found.length} tokens with a weight`, node };
  },
  cells: (row, model) => [
    ["tokens", sparse.read(row, model).map(({ token, weight }) => `${token}:${short(weight)}`).join(" ")],
  ],
};

const scored = {
  fields: [{ label: "Query", kind: "line" }, TEXT],
  show([[scores]], values, model) {
    const names = scores.length > 1 ? scores.map((_, place) => `output ${place}`) : ["score"];
    return { sentence: `Score: ${scores.map(short).join(", ")}`, node: bars(names, scores, isShare(model)) };
  },
  cells: ([scores]) => scores.map((score, place) => [scores.length > 1 ? `score ${place}` : "score", score]),
};

const TASKS = {
  "text-classification": { fields: [TEXT], ...ranking },
  "text-pair-classification": { fields: [TEXT, { label: "Second text", kind: "text" }], ...ranking },
  "zero-shot-classification": { fields: [TEXT, { label: "Labels", kind: "labels", hint: "One label a line" }], ...ranking },
  "token-classification": entities,
  "question-answering": answering,
  "feature-extraction": embedding,
  "sparse-embedding": sparse,
  "text-ranking": scored,
};

// The row of the model's task, with the defaults of rows that have no function of their own.
export function taskOf(model) {
  return { rows: (values) => [values], ...TASKS[model.task] };
}
