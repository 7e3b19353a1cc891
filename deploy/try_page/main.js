// The page: reads try.json, makes the form of the model's task, sends it and shows the answer.

import { startBatch } from "./batch.js";
import { copy, find, make, tabs } from "./dom.js";
import { pictureForm, rawForm, textForm } from "./forms.js";
import { ask, url } from "./request.js";
import { LANGUAGES, snippet } from "./snippets.js";
import { taskOf } from "./tasks.js";

const REMEMBERED = 20;
const times = [];
let language = LANGUAGES[0];

async function start() {
  const model = await (await fetch("try.json")).json();
  const task = taskOf(model);
  const form = task.fields ? textForm(model, task) : model.task === "ocr" ? pictureForm(model) : rawForm(model);
  describe(model, task);
  find("form").addEventListener("submit", (event) => {
    event.preventDefault();
    send(model, form);
  });
  find("form").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("form").requestSubmit();
  });
  for (const kind of ["input", "change"]) find("form").addEventListener(kind, () => showCode(model, form));
  form.changed = () => showCode(model, form);
  tabs(find("languages"), "Language", Object.fromEntries(LANGUAGES.map((each) => [each, "code"])), (chosen) => {
    language = chosen;
    showCode(model, form);
  });
  find("copy-code").addEventListener("click", () => told("copied", () => copy(find("code").textContent)));
  find("modes").hidden = !task.cells || !model.max_batch_size;
  if (!find("modes").hidden) {
    startBatch(model, task, form);
    tabs(find("modes"), "What to send", { "One request": "one", Batch: "many" }, (chosen) => {
      find("one").hidden = chosen === "Batch";
      find("many").hidden = chosen !== "Batch";
    });
  }
  find("main").hidden = false; // a form that is sent before it has its listeners would leave the page
}

function describe(model, task) {
  document.title = `Try ${model.model}`;
  find("model").textContent = model.model;
  const { count, texts } = model.labels;
  const facts = [model.task, model.max_batch_size ? `batches of up to ${model.max_batch_size}` : "one input a request"];
  find("about").textContent = facts.join(" · ");
  if (!count || !task.fields || task.fields.some((each) => each.kind === "labels")) return;
  const more = count > texts.length ? `, and ${count - texts.length} more` : "";
  const summary = make("summary", {}, count === 1 ? "1 label" : `${count} labels`);
  find("about").after(make("details", {}, summary, make("p", {}, texts.join(", ") + more)));
}

async function send(model, form) {
  const main = find("form").querySelector("button.main");
  if (main.getAttribute("aria-disabled") === "true") return;
  main.setAttribute("aria-disabled", "true");
  find("status").className = "";
  try {
    const { bodies, show } = form.request();
    find("status").textContent = "Waiting for the answer …";
    const answers = [];
    for (const body of bodies) answers.push(await ask(model, body));
    const { sentence, node } = show(answers.map((each) => each.outputs));
    find("status").textContent = sentence;
    find("answer").replaceChildren(node);
    for (const { ms } of answers) times.push(ms);
    times.splice(0, times.length - REMEMBERED);
    find("latency").textContent = latency();
  } catch (error) {
    find("status").className = "error";
    find("status").textContent = error.message;
    find("answer").replaceChildren();
  } finally {
    main.removeAttribute("aria-disabled");
  }
}

function latency() {
  const sorted = [...times].sort((one, other) => one - other);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const last = `Latency: ${times.at(-1).toFixed(1)} ms, measured in the browser`;
  return times.length > 1 ? `${last}; median of the last ${times.length} requests: ${middle.toFixed(1)} ms` : last;
}

function showCode(model, form) {
  try {
    const { bodies, name } = form.request();
    find("code").textContent = snippet(language, url(model), bodies, name);
  } catch (error) {
    find("code").textContent = error.message;
  }
}

async function told(id, action) {
  try {
    await action();
    find(id).textContent = "Copied";
  } catch {
    find(id).textContent = "The browser refused to copy; select the text instead";
  }
}

start().catch((error) => {
  find("about").textContent = `The page cannot be shown: ${error.message}`;
});
