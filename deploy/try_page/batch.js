// Many texts: one a line, sent in requests of the largest batch; the answers as a table and as CSV (RFC 4180).

import { copy, find } from "./dom.js";
import { ask, bodyOf, rowsOf } from "./request.js";
import { table, tableRow } from "./shown.js";

const MOST_SHOWN = { rows: 500, columns: 10 };
const MOST_LINES = 10_000;

export function startBatch(model, task, form) {
  const texts = task.fields.filter((each) => each.kind !== "labels" && !each.optional).map((each) => each.label);
  const others = task.fields.some((each) => each.kind === "labels") ? "; the labels are those of the single request" : "";
  find("lines-label").textContent =
    texts.length > 1 ? `One ${texts.join(", a Tab, and a ").toLowerCase()} a line` : `One text a line${others}`;
  const state = { lines: [], isStopped: false };
  find("batch-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!find("stop").hidden) return; // a batch is being sent
    find("batch-status").className = "";
    find("stop").hidden = false;
    state.isStopped = false;
    try {
      await sendAll(model, task, form, texts.length, state);
    } catch (error) {
      find("batch-status").className = "error";
      find("batch-status").textContent = error.message;
    } finally {
      find("stop").hidden = true;
    }
  });
  find("stop").addEventListener("click", () => {
    state.isStopped = true;
  });
  find("copy-csv").addEventListener("click", async () => {
    await copy(state.lines.map(csvLine).join(""));
    find("batch-status").textContent = `${state.lines.length - 1} rows copied as CSV`;
  });
}

async function sendAll(model, task, form, columns, state) {
  const lines = find("lines").value.split("\n").filter((line) => line.trim());
  const rows = lines.map((line, place) => rowOf(line, place, task, form, columns));
  if (!rows.length) throw new Error("Paste some texts, one a line.");
  if (rows.length > MOST_LINES) throw new Error(`These are ${rows.length} lines; send at most ${MOST_LINES} at a time.`);
  const began = performance.now();
  state.lines = [];
  for (let at = 0; at < rows.length && !state.isStopped; at += model.max_batch_size) {
    const part = rows.slice(at, at + model.max_batch_size);
    const { outputs } = await ask(model, bodyOf(model, part, form.parameters()));
    const answered = rowsOf(outputs, part.length).map((row) => task.cells(row, model));
    add(task, part, answered, state.lines, at);
    find("batch-status").textContent = `${at + part.length} of ${rows.length} answered`;
  }
  const seconds = (performance.now() - began) / 1000;
  const count = state.lines.length - 1;
  find("batch-status").textContent = `${count} answered in ${seconds.toFixed(1)} s (${(count / seconds).toFixed(0)} a second)`;
}

// The values of a line for the inputs of the model.
function rowOf(line, place, task, form, columns) {
  const parts = line.split("\t");
  if (parts.length !== columns && columns > 1) {
    throw new Error(`Line ${place + 1} has ${parts.length} parts; separate ${columns} texts by a Tab.`);
  }
  const labels = task.fields.some((each) => each.kind === "labels") ? form.labels() : [];
  return columns > 1 ? parts : [line, ...labels];
}

function add(task, rows, answered, lines, at) {
  const inputs = rows.map((row) => row.filter((each) => typeof each === "string"));
  if (!at) {
    const names = task.fields.slice(0, inputs[0].length).map((each) => each.label.toLowerCase());
    lines.push([...names, ...answered[0].map(([column]) => column)]);
    find("table").replaceChildren(table(lines[0].slice(0, MOST_SHOWN.columns), []));
    find("table").hidden = find("copy-csv").hidden = false;
  }
  const body = find("table").querySelector("tbody");
  answered.forEach((cells, place) => {
    const line = [...inputs[place], ...cells.map(([, value]) => value)];
    lines.push(line);
    if (lines.length <= MOST_SHOWN.rows + 1) body.append(tableRow(line.slice(0, MOST_SHOWN.columns)));
  });
}

function csvLine(values) {
  const quoted = values.map((value) => {
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${quoted.join(",")}\r\n`;
}
