/** The card that keeps data as a data set at OL Connect, and edits that data set's properties. */

const $ = (id) => document.getElementById(id);
const CHANGED = `Somebody changed these properties since you read them. This is how they are now;
what you typed is still in the form: look, then save again.`;
let gateway, path, etag;

/** OL Connect's own API, through the gateway; gives the id of the operation it starts. */
export async function keepAsDataSet(team, file) {
  const rest = "/rest/serverengine";
  const upload = `${rest}/filestore/DataFile?filename=${encodeURIComponent(file.name)}`;
  const headers = { "Content-Type": "application/octet-stream" };
  const id = await (await team.fetch("POST", upload, { headers, body: file })).text();
  const mapping = `${rest}/workflow/datamining/Promo-EN.OL-datamapper/${id}`;
  return (await team.fetch("POST", mapping)).headers.get("operationId");
}

export async function showProperties(team, dataSet) {
  gateway = team;
  path = `/api/v1/data-sets/${dataSet}/properties`;
  $("entity").textContent = `of data set ${dataSet}`;
  say("");
  await read();
  hide(false);
}

export function hide(hidden = true) {
  $("with-properties").hidden = hidden;
  $("entity").hidden = hidden;
}

async function read() {
  const response = await gateway.fetch("GET", path);
  const values = Object.entries(await response.json());
  etag = response.headers.get("ETag");
  $("values").replaceChildren(...values.flatMap(([name, value]) => pair(name, value)));
  $("no-values").hidden = values.length > 0;
  $("facts").textContent = `ETag ${etag.slice(0, 9)}…" · ${response.headers.get("Cache-Status")}`;
}

/** RFC 7396: only the names given change. If-Match: only if nobody else was faster. */
async function patch(changes, condition = {}) {
  const headers = { "Content-Type": "application/merge-patch+json", ...condition };
  await gateway.fetch("PATCH", path, { headers, body: JSON.stringify(changes) });
}

async function save() {
  let words = "Saved.";
  try {
    await patch({ [$("property-name").value]: $("property-value").value }, { "If-Match": etag });
  } catch (error) {
    if (error.code !== "precondition_failed") throw error;
    words = CHANGED;
  }
  await read();
  say(words);
}

async function meddle() {
  await patch({ "seen-by": "a colleague" });
  say("A colleague has just changed something. Save now: your ETag is old and will not pass.");
}

function say(words) {
  $("properties-note").hidden = !words;
  $("properties-note").textContent = words;
}

function pair(name, value) {
  const [term, text] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  text.textContent = value;
  return [term, text];
}

const explain = (error) => say(`${error.status || ""} ${error.code || ""} ${error.message}`);
$("property").addEventListener("submit", (event) => {
  event.preventDefault();
  save().catch(explain);
});
$("again").addEventListener("click", () => read().catch(explain));
$("meddle").addEventListener("click", () => meddle().catch(explain));
