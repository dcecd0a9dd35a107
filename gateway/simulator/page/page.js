/** The demo page: what happens where. How the gateway is talked to stands in api.js. */

import { Gateway } from "./api.js";
import { hide, keepAsDataSet, showProperties } from "./properties.js";

const $ = (id) => document.getElementById(id);
const BIG_BYTES = 200_000; // larger files are sent, but not shown for editing
const WORDS = {
  running: "Running",
  succeeded: "Finished",
  failed: "Failed",
  canceled: "Canceled",
  all_in_one: "Document",
  data_mapping: "Data set",
};

const teams = new Map(); // name -> Gateway
let team = ""; // the name of the one signed in as
let upload = null; // a file too big to be edited
let operation = null; // the one the document card shows
let following = new AbortController();
let documentUrl = "";

const me = () => teams.get(team);
const other = () => [...teams.keys()].find((name) => name !== team);

/** The demo hands out tokens; elsewhere they come from a sign-in at the company's issuer. */
async function signIn() {
  const { teams: given } = await (await fetch("/demo/tokens.json")).json();
  for (const { name, token } of given) {
    const observe = (...call) => log(name, ...call);
    teams.set(name, new Gateway({ token: () => token, observe }));
    const choice = create("input", { type: "radio", name: "team", checked: teams.size === 1 });
    choice.addEventListener("change", () => choose(name).catch(refuse));
    $("teams").append(create("label", {}, choice, create("span", {}, title(name))));
  }
  await choose(given[0].name);
}

async function choose(name) {
  team = name;
  following.abort();
  operation = null;
  showOperation();
  hide();
  $("other-answer").hidden = true;
  for (const place of document.querySelectorAll("[data-other]")) place.textContent = title(other());
  const { pipelines } = await me().json("GET", "/api/v1/pipelines");
  $("pipeline").replaceChildren(...pipelines.map(({ name }) => create("option", {}, name)));
  await listOperations();
}

function showText(name, text) {
  upload = null;
  $("file-name").textContent = name;
  $("text").disabled = false;
  $("text").value = text;
}

async function takeFile(file) {
  if (!file) return;
  if (file.size <= BIG_BYTES) return showText(file.name, await file.text());
  showText(file.name, `${file.name}, ${size(file.size)}: too big to edit here, sent as it is.`);
  $("text").disabled = true;
  upload = file;
}

function dataFile() {
  const name = $("file-name").textContent;
  const type = name.endsWith(".json") ? "application/json" : "text/csv";
  return upload || new File([$("text").value], name, { type });
}

/** Start something, then show its operation until it ends. */
async function begin(button, start) {
  $("problem").hidden = true;
  button.setAttribute("aria-busy", "true");
  try {
    const started = await start();
    button.removeAttribute("aria-busy");
    say("Started.");
    await follow(started);
  } catch (error) {
    refuse(error);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** Show an operation until it ends, and then what it made. Following another ends this. */
async function follow(chosen) {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  operation = chosen;
  showOperation();
  await listOperations();
  try {
    if (operation.status === "running") await watch(signal);
    say(`${WORDS[operation.service]}: ${WORDS[operation.status]}.`);
    if (operation.status === "succeeded") await showResult(signal);
    await listOperations();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function watch(signal) {
  const onLost = () => {
    $("bar-label").textContent = "Connection lost, trying again…";
    say("Connection lost, trying again.");
  };
  for await (const { data } of me().events(operation.id, { signal, onLost })) {
    operation = { ...operation, ...data };
    showOperation();
  }
}

async function showResult(signal) {
  const result = await me().fetch("GET", `/api/v1/operations/${operation.id}/result`, { signal });
  const content = await result.blob();
  if (content.type.startsWith("application/json")) return showMade(JSON.parse(await content.text()));
  const name = /filename="([^"]+)"/.exec(result.headers.get("Content-Disposition"))?.[1];
  documentUrl = URL.createObjectURL(content);
  $("pdf").src = `${documentUrl}#toolbar=0&navpanes=0&view=FitH`;
  Object.assign($("download"), { href: documentUrl, download: name });
  $("pdf-facts").textContent = `${name}, ${size(content.size)}`;
  $("result").hidden = false;
}

/** Operations that make no document leave ids behind. */
async function showMade(ids) {
  note($("made"), JSON.stringify(ids), "This operation left objects at OL Connect, no document.");
  if (ids.dataSet) await showProperties(me(), ids.dataSet);
}

function showOperation() {
  const status = operation?.status;
  URL.revokeObjectURL(documentUrl);
  for (const id of ["result", "made", "problem"]) $(id).hidden = true;
  $("empty").hidden = Boolean(operation);
  $("progress").hidden = status !== "running";
  $("bar").value = operation?.progress ?? 0;
  $("percent").textContent = `${$("bar").value} %`;
  $("bar-label").textContent = "Working";
  $("badge").hidden = !operation;
  $("badge").textContent = WORDS[status];
  $("badge").dataset.status = status;
  $("other-look").disabled = !operation;
  if (status === "failed") note($("problem"), "It failed", operation.problem?.detail);
  if (status === "canceled") note($("made"), "Canceled", "Nothing was printed.");
}

async function cancel() {
  await me().fetch("DELETE", `/api/v1/operations/${operation.id}`);
  $("start").focus(); // the button that had the focus goes away
}

async function listOperations() {
  const { operations } = await me().json("GET", "/api/v1/operations?limit=6");
  $("operations").replaceChildren(...operations.map(operationRow));
  $("no-operations").hidden = operations.length > 0;
}

function operationRow(each) {
  const time = new Date(each.created).toLocaleTimeString([], { timeStyle: "medium" });
  const hint = create("span", { className: "unseen" }, ` of ${time}: show it`);
  const name = WORDS[each.service] || title(each.service);
  const button = create("button", { type: "button", className: "link" }, name, hint);
  button.addEventListener("click", () => follow(each).catch(refuse));
  const badge = create("span", { className: "badge" }, WORDS[each.status]);
  badge.dataset.status = each.status;
  return create("li", {}, button, create("span", { className: "quiet" }, time), badge);
}

async function tryAsOther(act) {
  try {
    await act(teams.get(other()));
    note($("other-answer"), "Allowed", `Team ${other()} may do this too.`);
  } catch (error) {
    note($("other-answer"), `${error.status} ${error.code}`, error.message);
  }
}

function refuse({ status, code, message, requestId }) {
  const request = requestId ? ` Request ${requestId}.` : "";
  note($("problem"), status ? `${status} ${code}` : "No connection", message + request);
}

function note(place, heading, text = "") {
  place.replaceChildren(create("strong", {}, heading), create("span", {}, text));
  place.hidden = false;
}

function say(text) {
  $("announcer").textContent = text;
}

function log(as, method, path, status, milliseconds) {
  const outcome = create("span", {}, `${status} · ${Math.round(milliseconds)} ms · ${as}`);
  outcome.dataset.good = status < 400;
  $("calls").prepend(create("li", {}, create("code", {}, `${method} ${path}`), outcome));
  if ($("calls").children.length > 12) $("calls").lastChild.remove();
}

function create(name, attributes = {}, ...children) {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
}

const title = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
const size = (bytes) =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

function on(id, event, act) {
  $(id).addEventListener(event, (happened) => {
    happened.preventDefault();
    $("drop").classList.toggle("over", event === "dragover");
    Promise.resolve(act(happened)).catch(refuse);
  });
}

async function keep() {
  const id = await keepAsDataSet(me(), dataFile());
  return me().json("GET", `/api/v1/operations/${id}`);
}

for (const sample of document.querySelectorAll("template")) {
  on(sample.dataset.button, "click", () => showText(sample.id, sample.content.textContent));
}
$("file").addEventListener("change", ({ target }) => takeFile(target.files[0]).catch(refuse));
on("drop", "dragover", () => {});
on("drop", "dragleave", () => {});
on("drop", "drop", ({ dataTransfer }) => takeFile(dataTransfer.files[0]));
on("run", "submit", () => begin($("start"), () => me().run($("pipeline").value, dataFile())));
on("keep", "click", () => begin($("keep"), keep));
on("cancel", "click", cancel);
on("other-look", "click", () =>
  tryAsOther((they) => they.json("GET", `/api/v1/operations/${operation.id}`)),
);
on("other-run", "click", () => tryAsOther((they) => they.run($("pipeline").value, dataFile())));

$("sample-csv").click();
signIn().catch(refuse);
