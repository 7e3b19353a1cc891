// Requests of the V2 inference protocol, and their answers.

export const url = (model) => new URL(`../v2/models/${encodeURIComponent(model.model)}/infer`, location.href).href;

// The JSON body for rows; a row has a value for each input of the model: a text, or a list of texts.
export function bodyOf(model, rows, parameters = {}) {
  const inputs = model.inputs.map((tensor, place) => {
    const values = rows.map((row) => [row[place]].flat());
    const shape = model.max_batch_size ? [rows.length, values[0].length] : [values[0].length];
    return { name: tensor.name, shape, datatype: tensor.datatype, data: values.flat() };
  });
  return Object.keys(parameters).length ? { parameters, inputs } : { inputs };
}

// The body with a file after its JSON ("binary data" extension): JSON cannot carry the bytes of a picture.
export function binaryBody(model, file) {
  const [tensor] = model.inputs;
  const sized = { binary_data_size: file.byteLength + 4 };
  const shape = model.max_batch_size ? [1, 1] : [1];
  const head = JSON.stringify({ inputs: [{ name: tensor.name, shape, datatype: tensor.datatype, parameters: sized }] });
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, file.byteLength, true);
  return { head, length: new Uint8Array(length.buffer), file };
}

// {outputs, ms}: the answer's outputs in the order of the model's, and the milliseconds until it was there. Throws an
// Error with a sentence.
export async function ask(model, body) {
  const isBinary = "head" in body;
  const headers = isBinary ? { "Inference-Header-Content-Length": String(body.head.length) } : {};
  const content = isBinary ? new Blob([body.head, body.length, body.file]) : JSON.stringify(body);
  const began = performance.now();
  let response, answer;
  try {
    response = await fetch(url(model), { method: "POST", headers, body: content });
    answer = await response.text();
  } catch {
    throw new Error("The server did not answer. Check that it still runs.");
  }
  const ms = performance.now() - began;
  if (!response.ok) throw new Error(`The server refused the request (${response.status}): ${reason(answer)}`);
  const found = JSON.parse(answer).outputs;
  const names = model.outputs.map((each) => each.name);
  return { outputs: found.sort((one, other) => names.indexOf(one.name) - names.indexOf(other.name)), ms };
}

function reason(answer) {
  try {
    return JSON.parse(answer).error ?? answer;
  } catch {
    return answer || "it gave no reason";
  }
}

// For each of `count` rows of an answer, a list of values for each output.
export function rowsOf(outputs, count) {
  return Array.from({ length: count }, (_, row) =>
    outputs.map(({ data }) => data.slice((row * data.length) / count, ((row + 1) * data.length) / count)),
  );
}
