// The request of the page as commands: {language: (url, bodies, file name) => text}.

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function python(value) {
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value); // the escapes of JSON mean the same in Python
  return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${python(each)}`).join(", ")}}`;
}

const plain = {
  curl: (url, bodies) =>
    bodies
      .map((body) => `curl ${shell(url)} -H 'Content-Type: application/json' \\\n  --data-raw ${shell(JSON.stringify(body))}`)
      .join("\n"),
  Python: (url, bodies) => `import json
import urllib.request

for body in [
${bodies.map((body) => `    ${python(body)},`).join("\n")}
]:
    request = urllib.request.Request(
        ${JSON.stringify(url)},
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        print(json.load(response)["outputs"])
`,
  JavaScript: (url, bodies) => `for (const body of [
${bodies.map((body) => `  ${JSON.stringify(body)},`).join("\n")}
]) {
  const response = await fetch(${JSON.stringify(url)}, {
    method: "POST",
    body: JSON.stringify(body),
  });
  console.log((await response.json()).outputs);
}
`,
};

// A text of one element: its length in four bytes, then its bytes.
const withFile = {
  curl: (url, [body], name) => {
    const length = Array.from(body.length, (each) => `\\${each.toString(8).padStart(3, "0")}`).join("");
    return `(printf '%s' ${shell(body.head)}; printf '${length}'; cat ${shell(name)}) |
  curl ${shell(url)} --data-binary @- \\
  -H 'Inference-Header-Content-Length: ${body.head.length}'`;
  },
  Python: (url, [body], name) => `import json
import struct
import urllib.request
from pathlib import Path

picture = Path(${JSON.stringify(name)}).read_bytes()
data = struct.pack("<I", len(picture)) + picture
tensor = ${python(JSON.parse(body.head).inputs[0])}
tensor["parameters"] = {"binary_data_size": len(data)}
head = json.dumps({"inputs": [tensor]}).encode()
request = urllib.request.Request(
    ${JSON.stringify(url)},
    head + data,
    {"Inference-Header-Content-Length": str(len(head))},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response)["outputs"])
`,
  JavaScript: (url, [body]) => `// in a page with <input type="file">
const [picture] = document.querySelector("input[type=file]").files;
const length = new DataView(new ArrayBuffer(4));
length.setUint32(0, picture.size, true);
const tensor = ${JSON.stringify(JSON.parse(body.head).inputs[0])};
tensor.parameters = { binary_data_size: picture.size + 4 };
const head = JSON.stringify({ inputs: [tensor] });
const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { "Inference-Header-Content-Length": String(head.length) },
  body: new Blob([head, length, picture]),
});
console.log((await response.json()).outputs);
`,
};

export const LANGUAGES = Object.keys(plain);

export function snippet(language, url, bodies, name) {
  return ("head" in bodies[0] ? withFile : plain)[language](url, bodies, name);
}
