// Asks for the page again when the server says that something has moved. What people have opened, chosen, scrolled
// and focused stays so; while they write, nothing moves. Hidden tabs keep no connection.
"use strict";
const main = document.querySelector("main[data-live]");
const told = document.querySelector("#told");
let source = null, lostTimer = null, busy = false, again = false;

const FIELDS = "input:not([type=hidden]), select";
const writing = () => document.activeElement?.matches("main input:not([type=radio], [type=checkbox]), main select");

// The same thing in the fresh page.
const same = (one, fresh) => {
  const named = ["id", "aria-labelledby", "name", "href"].find((name) => one.hasAttribute(name));
  const inside = one.closest("[id]:not(main)");
  let where = named && `${one.localName}[${named}="${CSS.escape(one.getAttribute(named))}"]`;
  if (!named) where = inside && `#${CSS.escape(inside.id)} ${one.localName}`;
  else if (["radio", "checkbox"].includes(one.type)) where += `[value="${CSS.escape(one.value)}"]`;
  if (!where) return undefined;
  const found = fresh.querySelectorAll(where);
  return found[Math.min([...main.querySelectorAll(where)].indexOf(one), found.length - 1)];
};

const replace = (fresh) => {
  const pairs = (selector) => [...main.querySelectorAll(selector)]
    .map((one) => [one, same(one, fresh)]).filter(([, other]) => other);
  for (const [one, other] of pairs("details[id]")) other.open = one.open;
  for (const [one, other] of pairs(FIELDS)) { other.value = one.value; other.checked = one.checked; }
  const scrolled = pairs(".scroll, pre").map(([one, other]) => [other, one.scrollLeft, one.scrollTop]);
  const focused = main.contains(document.activeElement) && same(document.activeElement, fresh);
  main.replaceChildren(...fresh.childNodes);
  for (const [other, left, top] of scrolled) other.scrollTo(left, top);
  if (focused) focused.focus({ preventScroll: true });
  if (!fresh.dataset.live) stop();
};

const renew = async () => {
  if (busy || writing()) { again = true; return; }
  busy = true;
  again = false;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    const text = await answer.text();
    if (answer.status === 401) signedOut();
    else if (!answer.ok) lost();
    else if (writing()) again = true;
    else {
      found();
      replace(new DOMParser().parseFromString(text, "text/html").querySelector("main"));
    }
  } catch {
    lost();
  } finally {
    busy = false;
    if (again && !writing()) renew();
  }
};

const lost = () => {
  const since = new Date().toISOString().slice(11, 16);
  lostTimer ??= setTimeout(() => {
    told.textContent = `not connected since ${since} UTC`;
    renew();
  }, 5000);
};
const found = () => {
  clearTimeout(lostTimer);
  lostTimer = null;
  told.textContent = "";
};
const signedOut = () => {
  stop();
  told.textContent = "signed out: open a new address";
};

const hush = () => { source?.close(); source = null; };
const stop = () => { hush(); found(); delete main.dataset.live; };
const listen = () => {
  hush();
  if (document.hidden || !main.dataset.live) return;
  source = new EventSource(main.dataset.live);
  source.addEventListener("moved", renew);
  source.onopen = () => { if (lostTimer) { found(); renew(); } };
  source.onerror = () => {
    lost();
    if (source?.readyState !== EventSource.CLOSED) return;
    renew();  // tells whether we are signed out
    setTimeout(listen, 5000);
  };
};

if (main && window.EventSource) {
  listen();
  document.addEventListener("visibilitychange", () => { listen(); if (source) renew(); });
  // Later, so that a click is not lost for which something else lost the focus.
  main.addEventListener("focusout", () => setTimeout(() => { if (again) renew(); }, 500));
}
