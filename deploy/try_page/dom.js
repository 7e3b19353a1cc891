// Elements with attributes and children. Texts become text nodes: no text of a model or a user is ever read as HTML.

export const find = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// A line of SVG, which has elements of its own.
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function field(label, control, hint = "") {
  const id = `field-${label.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
  control.id = id;
  if (!hint) return make("div", { class: "field" }, make("label", { for: id }, label), control);
  control.setAttribute("aria-describedby", `${id}-hint`);
  const told = make("p", { class: "hint", id: `${id}-hint` }, hint);
  return make("div", { class: "field" }, make("label", { for: id }, label), control, told);
}

// Tabs as in the ARIA Authoring Practices: one stop of the Tab key, arrow keys inside. names: {text of a tab: id of its
// panel}. chosen(text) is called for each choice.
export function tabs(place, title, names, chosen) {
  const buttons = Object.entries(names).map(([name, panel]) => {
    const choose = () => {
      for (const each of buttons) {
        each.setAttribute("aria-selected", String(each === button));
        each.tabIndex = each === button ? 0 : -1;
      }
      chosen(name);
    };
    const button = make("button", { type: "button", role: "tab", "aria-controls": panel, click: choose }, name);
    return button;
  });
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  place.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    const at = buttons.indexOf(document.activeElement) + steps[event.key] + buttons.length;
    buttons[at % buttons.length].focus();
    buttons[at % buttons.length].click();
  });
  place.setAttribute("role", "tablist");
  place.setAttribute("aria-label", title);
  place.replaceChildren(...buttons);
  buttons[0].click();
}

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Over plain HTTP from another machine, browsers have no clipboard object.
  const area = make("textarea", { "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
