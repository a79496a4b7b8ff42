// Just enough of a browser to run the page's script: node stub_browser.js viewer.js openapi.json [status]
"use strict";
const fs = require("fs");

class Element {
  constructor(tag) { this.tag = tag; this.inside = []; this.listeners = {}; this.hidden = false; this.value = ""; }
  append(...nodes) { this.inside.push(...nodes); }
  replaceChildren(...nodes) { this.inside = nodes; }
  addEventListener(name, told) { this.listeners[name] = told; }
  set textContent(text) { this.inside = [text]; }
  get textContent() { return this.inside.map((one) => (one instanceof Element ? one.textContent : String(one))).join(" "); }
  all() { return this.inside.filter((one) => one instanceof Element).flatMap((one) => [one, ...one.all()]); }
  querySelectorAll(tag) { return this.all().filter((one) => one.tag === tag); }
}

const [, , script, openapi, status = "200"] = process.argv;
const parts = Object.fromEntries(["ask", "secret", "said", "find", "words", "shown"].map((id) => [id, new Element("div")]));
parts.ask.hidden = parts.find.hidden = true;
global.document = { getElementById: (id) => parts[id], createElement: (tag) => new Element(tag) };
global.location = { hash: "" };
global.addEventListener = () => {};
const asked = [];
global.fetch = async (url, { headers }) => {
  asked.push(headers);
  const code = headers.Authorization ? 200 : Number(status);
  return { ok: code < 300, status: code, json: async () => JSON.parse(fs.readFileSync(openapi)) };
};
const settled = () => new Promise((done) => setImmediate(() => setImmediate(done)));

(async () => {
  new Function(fs.readFileSync(script, "utf-8"))();
  await settled();
  const asksFirst = !parts.ask.hidden;
  if (asksFirst) {
    parts.secret.value = " my_token ";
    parts.ask.listeners.submit({ preventDefault() {} });
    await settled();
  }
  const details = parts.shown.querySelectorAll("details");
  parts.words.listeners.input({ target: { value: "/promotion" } });
  console.log(JSON.stringify({
    asksFirst, asked, ids: details.map((one) => one.id), text: parts.shown.textContent,
    left: details.filter((one) => !one.hidden && !one.id.startsWith("schema-")).map((one) => one.id),
  }));
})();
