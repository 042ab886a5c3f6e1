// One entry of the browser's history for each deliberate change, so that Back undoes one. Streamlit replaces the entry
// when a widget changes its part of the address, and adds one for all that Python writes into it, be it a choice or a
// correction. Here a change gets an entry of its own if the visitor has done something since the last entry; what
// follows from a change, and what the page corrects after Back, belongs to the entry that is there.
//
// Before Python has answered, more changes may come, and its addresses come late. So Python counts its changes: one that
// was joined to the entry of another gets its own entry then. And an address that Python wrote before it knew what a
// widget has put there since must not take it away; the last such address has come when a run ends.
//
// Browsers without the Navigation API (before 2026) keep what Streamlit does.

const QUIET = ["step", "pixel", "uploads"];  // no choice that Back could undo

// Return the function that takes the number of changes that Python has counted in this session.
function followHistory() {
  if (!window.navigation) return () => {};
  let touched = false, busy = false, counted = null, entries = 0;
  let joined = [];  // the address before each one that joined the entry that is there
  const early = new Map();  // what widgets have put into the address since the last run ended: name → values

  const write = (...steps) => {
    busy = true;
    const state = window.history.state;
    for (const [way, url] of steps) window.history[way](state, "", url);
    busy = false;
  };
  const addEntry = (before, now) => write(["replaceState", before], ["pushState", now]);

  for (const kind of ["pointerdown", "keydown"]) {
    window.addEventListener(kind, () => { touched = true; }, true);
  }
  const app = document.querySelector(".stApp");
  if (app) {
    const ended = () => { if (app.dataset.testScriptState === "notRunning") early.clear(); };
    new MutationObserver(ended).observe(app, { attributeFilter: ["data-test-script-state"] });
  }
  navigation.addEventListener("navigate", (event) => {
    if (busy || touched || event.navigationType !== "push" || !event.cancelable || !event.destination.sameDocument) return;
    event.preventDefault();
    const before = window.location.href;
    joined.push(before);
    write(["replaceState", withEarly(event.destination.url, before, early)]);
  });
  navigation.addEventListener("currententrychange", (event) => {
    if (busy) return;
    const before = event.from?.url, now = window.location.href, kind = event.navigationType;
    if (kind === "replace" && !(touched && before && differ(before, now))) return;
    touched = false;
    joined = [];
    if (kind === "traverse" || pathOf(before) !== pathOf(now)) early.clear();
    if (kind === "push") {
      entries += 1;
      if (early.size) write(["replaceState", withEarly(now, before, early)]);
    }
    if (kind === "replace") {
      for (const name of changed(before, now)) early.set(name, new URL(now).searchParams.getAll(name));
      addEntry(before, now);
    }
  });

  return (changes) => {
    // Before this script was there, Streamlit has added an entry for each of Python's addresses.
    const missing = counted === null ? 0 : changes - counted - entries;
    const addresses = [...joined.slice(0, Math.max(missing, 0)), window.location.href];
    for (let place = 1; place < addresses.length; place += 1) {
      if (differ(addresses[place - 1], addresses[place])) addEntry(addresses[place - 1], addresses[place]);
    }
    if (missing > 0) joined = [];  // else it may have addresses of changes that are counted next
    [counted, entries] = [changes, 0];
  };
}

function pathOf(url) { return url && new URL(url).pathname; }

function withEarly(url, before, early) {
  if (pathOf(before) !== pathOf(url)) return url;
  const merged = new URL(url);
  for (const [name, values] of early) {
    merged.searchParams.delete(name);
    for (const value of values) merged.searchParams.append(name, value);
  }
  return merged.toString();
}

function changed(before, now) {
  const [old, current] = [before, now].map((url) => new URL(url).searchParams);
  return [...new Set([...old.keys(), ...current.keys()])].filter(
    (name) => String(old.getAll(name)) !== String(current.getAll(name)));
}

function differ(before, now) {
  return pathOf(before) !== pathOf(now) || changed(before, now).some((name) => !QUIET.includes(name));
}
