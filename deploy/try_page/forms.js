// The forms: texts, a picture, or the request itself. request() gives its bodies and show(outputs of each answer) =>
// {sentence, node}; it throws an Error with a sentence for a field that is not filled in.

import { field, find, make } from "./dom.js";
import { binaryBody, bodyOf, rowsOf } from "./request.js";
import { boxed, percent, table, tensors } from "./shown.js";

const PARAMETERS = { prompt_name: "Prompt", dimensions: "Numbers of an embedding" };

export function textForm(model, task) {
  const controls = task.fields.map((each) => {
    const rows = { text: 4, labels: 5, line: 1 }[each.kind];
    const control = rows > 1 ? make("textarea", { rows }) : make("input", { type: "text", autocomplete: "off" });
    find("fields").append(field(each.optional ? `${each.label} (optional)` : each.label, control, each.hint));
    return control;
  });
  const perText = task.fields.some((each) => each.optional); // each text may have a prompt of its own
  const choices = parameterFields(model, perText);
  const valueOf = ({ label, kind, optional }, place) => {
    const text = controls[place].value;
    const labels = kind === "labels" && text.split("\n").map((line) => line.trim()).filter(Boolean);
    if (labels ? !labels.length : !optional && !text.trim()) throw new Error(`Fill in: ${label}.`);
    return labels || text;
  };
  const form = {
    labels: () => task.fields.flatMap((each, place) => (each.kind === "labels" ? [valueOf(each, place)] : [])),
    parameters: (place = 0) =>
      Object.fromEntries(choices.flatMap(({ name, read }) => (read(place) ? [[name, read(place)]] : []))),
    request() {
      const values = task.fields.map(valueOf);
      const rows = task.rows(values);
      const own = rows.map((_, place) => form.parameters(place));
      const isOne = rows.length <= (model.max_batch_size || 1) && own.every((each) => same(each, own[0]));
      const bodies = isOne ? [bodyOf(model, rows, own[0])] : rows.map((row, place) => bodyOf(model, [row], own[place]));
      const count = rows.length / bodies.length;
      return { bodies, show: (outputs) => task.show(outputs.flatMap((each) => rowsOf(each, count)), values, model) };
    },
    fill(example) {
      const next = model.examples[(model.examples.indexOf(example) + 1) % model.examples.length];
      controls.forEach((control, place) => {
        const [from, at] = task.fields[place].optional ? [next, 0] : [example, place];
        control.value = (from.inputs[model.inputs[at].name]?.data ?? []).join("\n");
      });
    },
  };
  exampleButtons(model, form);
  return form;
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function parameterFields(model, perText) {
  return Object.entries(model.parameters).map(([name, values]) => {
    const isDouble = perText && name === "prompt_name";
    const selects = (isDouble ? ["first text", "second text"] : [""]).map((which) => {
      const options = values.map((each) => make("option", { value: each }, each === "" ? "the model's own" : String(each)));
      const select = make("select", {}, ...options);
      find("parameters").append(field(which ? `${PARAMETERS[name]}, ${which}` : PARAMETERS[name], select));
      return select;
    });
    const read = (place) => {
      const chosen = values[selects[isDouble ? place : 0].selectedIndex];
      return chosen === values[0] ? "" : chosen; // the first is the usual one, which a request need not name
    };
    return { name, read };
  });
}

function exampleButtons(model, form) {
  const buttons = model.examples.map((example, place) => {
    const text = Object.values(example.inputs).find((each) => each.datatype === "BYTES")?.data[0] ?? "";
    const named = Array.from(typeof text === "string" && text.trim() ? text : `Example ${place + 1}`);
    const click = () => {
      form.fill(example);
      form.changed();
    };
    const name = named.length > 32 ? `${named.slice(0, 30).join("")} …` : named.join("");
    return make("button", { type: "button", click }, name);
  });
  if (buttons.length) find("examples").append(make("span", { class: "hint" }, "Examples:"), ...buttons);
  if (model.examples.length) form.fill(model.examples[0]);
}

export function rawForm(model) {
  const editor = make("textarea", { rows: 14, spellcheck: "false", class: "code" });
  find("fields").append(field("Request as JSON", editor, "The tensors of the V2 inference protocol"));
  const show = ([outputs]) => {
    const sentence = outputs.length > 1 ? `${outputs.length} output tensors` : "1 output tensor";
    return { sentence, node: tensors(outputs) };
  };
  const form = {
    request() {
      try {
        return { bodies: [JSON.parse(editor.value)], show };
      } catch (error) {
        throw new Error(`The request is not JSON: ${error.message}.`);
      }
    },
    fill(example) {
      const batch = model.max_batch_size ? [1] : [];
      const inputs = Object.entries(example.inputs).map(([name, { datatype, shape, data }]) =>
        JSON.stringify({ name, shape: [...batch, ...shape], datatype, data }),
      );
      editor.value = `{"inputs": [\n  ${inputs.join(",\n  ")}\n]}`;
    },
  };
  if (!model.examples.length) form.fill({ inputs: Object.fromEntries(model.inputs.map(emptyTensor)) });
  exampleButtons(model, form);
  return form;
}

// For a model whose golden requests are too long for the page: its tensors, without numbers.
function emptyTensor({ name, datatype, dims }) {
  return [name, { datatype, shape: dims.map((size) => Math.max(1, size)), data: [] }];
}

export function pictureForm(model) {
  const chooser = make("input", { type: "file", accept: "image/jpeg,image/png" });
  const place = field("Picture", chooser, "A JPEG or PNG file; or drop one here");
  place.classList.add("drop");
  find("fields").append(place);
  const picture = make("img", { alt: "The chosen picture", hidden: true });
  place.append(picture);
  let bytes = null;
  let name = "";
  const show = ([[words, boxes, scores]]) => {
    const shown = make("img", { src: picture.src, alt: "The picture with its words framed" });
    const rows = words.data.map((word, at) => [word, percent(scores.data[at])]);
    const node = make("div", {}, table(["word", "score"], rows));
    shown.decode().then(() => node.prepend(boxed(shown, words.data, boxes.data)));
    return { sentence: rows.length === 1 ? "1 word" : `${rows.length} words`, node };
  };
  const form = {
    request() {
      if (!bytes) throw new Error("Choose a picture.");
      return { bodies: [binaryBody(model, bytes)], show, name };
    },
  };
  const take = async (file) => {
    [bytes, name] = [new Uint8Array(await file.arrayBuffer()), file.name];
    [picture.src, picture.hidden] = [URL.createObjectURL(file), false];
    form.changed();
  };
  const choose = (files) => {
    if (files.length) chooser.files = files;
    chooser.dispatchEvent(new Event("change", { bubbles: true }));
  };
  chooser.addEventListener("change", () => chooser.files.length && take(chooser.files[0]));
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    choose(event.dataTransfer.files);
  });
  offerSample(model, choose);
  return form;
}

function offerSample(model, choose) {
  const coded = model.examples[0]?.inputs[model.inputs[0].name]?.data[0]?.base64;
  if (!coded) return;
  const content = Uint8Array.from(atob(coded), (each) => each.charCodeAt(0));
  const kind = content[0] === 0x89 ? "png" : "jpeg";
  const click = () => {
    const holder = new DataTransfer();
    holder.items.add(new File([content], `sample.${kind}`, { type: `image/${kind}` }));
    choose(holder.files);
  };
  find("examples").append(make("button", { type: "button", click }, "Use a sample picture"));
}
