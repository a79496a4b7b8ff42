// Shows openapi.json. Everything is set as text, never as markup, so the document cannot bring any.
"use strict";

const find = (id) => document.getElementById(id);

function made(tag, { text, ...set } = {}, ...inside) {
  const node = Object.assign(document.createElement(tag), set);
  if (text !== undefined) node.textContent = text;
  node.append(...inside);
  return node;
}

const nameOf = (reference) => reference.split("/").pop();

function kind(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.anyOf) return schema.anyOf.map(kind).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  if (schema.type === "object" && schema.additionalProperties) return `object of ${kind(schema.additionalProperties)}`;
  return schema.format || schema.type || "any JSON";
}

function linked(schema) {
  const words = kind(schema);
  const inner = schema.$ref || schema.items?.$ref || schema.anyOf?.find((one) => one.$ref)?.$ref;
  const code = made("code", { text: words });
  return inner ? made("a", { href: `#schema-${nameOf(inner)}` }, code) : code;
}

function table(rows) {
  return made("dl", {}, ...rows.flatMap(([name, schema, needed, text]) => [
    made("dt", {}, made("code", { text: name }), needed ? " (needed)" : ""),
    made("dd", {}, linked(schema), text ? ` ${text}` : ""),
  ]));
}

const fields = (schema) => table(Object.entries(schema.properties || {}).map(
  ([name, one]) => [name, one, (schema.required || []).includes(name), one.description]));

function body(holder) {
  return Object.entries(holder?.content || {}).flatMap(([media, { schema, example }]) => [
    made("p", {}, made("code", { text: media }), " ", linked(schema || {})),
    ...(example ? [made("pre", { text: JSON.stringify(example, null, 2) })] : []),
  ]);
}

function operation(method, path, one, document) {
  const answers = Object.entries(one.responses).filter(([code]) => code < 400);
  return made("details", { id: one.operationId },
    made("summary", {}, made("span", { className: "verb", text: method.toUpperCase() }), made("code", { text: path }),
      made("span", { className: "brief", text: one.summary })),
    made("p", { className: "prose", text: one.description }),
    ...(one.parameters?.length ? [made("h4", { text: "Parameters" }), table(one.parameters.map(
      (given) => [given.name, given.schema, given.required, `(${given.in}) ${given.description || ""}`]))] : []),
    ...(one.requestBody ? [made("h4", { text: "Body" }), ...body(one.requestBody)] : []),
    made("h4", { text: "Answer" }),
    ...answers.flatMap(([code, told]) => [made("p", { text: `${code} ${told.description}` }), ...body(told)]));
}

function show(document) {
  const shown = find("shown");
  shown.replaceChildren(made("p", { className: "prose", text: document.info.description }));
  for (const { name } of document.tags) {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods)
      .filter(([, one]) => one.tags.includes(name)).map(([method, one]) => operation(method, path, one, document)));
    shown.append(made("section", {}, made("h2", { text: name }), ...operations));
  }
  shown.append(made("h2", { text: "Records" }), ...Object.entries(document.components.schemas).map(([name, schema]) =>
    made("details", { id: `schema-${name}` }, made("summary", {}, made("code", { text: name })),
      made("p", { className: "prose", text: schema.description || "" }),
      schema.properties ? fields(schema) : linked({ ...schema }))));
  find("find").hidden = false;
}

function filter(words) {
  for (const one of find("shown").querySelectorAll("details")) {
    one.hidden = !one.textContent.toLowerCase().includes(words.toLowerCase());
  }
}

function open_() {
  const target = location.hash && find(location.hash.slice(1));
  if (target) { target.open = true; target.scrollIntoView(); }
}

async function load(secret) {
  const headers = secret ? { Authorization: `Bearer ${secret}` } : {};
  const answer = await fetch("openapi.json", { headers });
  if (answer.status === 401) {
    find("ask").hidden = false;
    find("said").textContent = secret ? (await answer.json()).detail : "";
    return;
  }
  if (!answer.ok) { find("shown").textContent = (await answer.json()).detail; return; }
  find("ask").hidden = true;
  show(await answer.json());
  open_();
}

find("ask").addEventListener("submit", (event) => { event.preventDefault(); load(find("secret").value.trim()); });
find("words").addEventListener("input", (event) => filter(event.target.value));
addEventListener("hashchange", open_);
load("");
