// The one writer of the browser's history: an entry for each deliberate change, so that Back undoes one. Streamlit
// replaces the entry when a widget changes its part of the address, and adds one for all that Python writes into it, be
// it a choice or a correction, with what Python knew of the widgets when the run was asked for. Here Streamlit's writing
// is taken over:
//
// - A widget's part is a separate entry if the visitor has done something since the last one.
// - Python's address ends with a mark: which run wrote it, how many changes Python has counted, how often it has followed
//   Back or Forward, and the page. Another number of changes is another entry. Python's names are taken from it; of the
//   widgets' names only what Python has changed itself, as the visitor may have gone on since the run was asked for.
// - Other addresses of Streamlit (a page without the selection) are left out: one with a mark follows.
// - After Back or Forward the address decides. What Python wrote before it knew of that is left out.

const MARK = "history";
const QUIET = ["step", "pixel", "uploads"];  // no choice that Back could undo

// Take over the history; `names` are the names in the address that Python writes.
function followHistory(names) {
  const { pushState, replaceState } = window.history;
  let touched = false, seen = markOf(window.location.href) ?? { changes: "0", moves: "0" };
  let known = new URL(window.location.href);  // the last address of Python
  let awaited = null;  // the address that Back or Forward opened, until Python has followed

  const write = (way, url) => {
    url.searchParams.delete(MARK);
    way.call(window.history, window.history.state, "", url.toString());
  };

  function ofWidget(url) {
    const change = touched && differ(window.location.href, url);
    if (change) touched = false;
    write(change ? pushState : replaceState, url);
  }

  function ofPython(url) {
    const mark = markOf(url), before = seen, here = new URL(window.location.href);
    if (awaited) {
      const followed = mark.moves !== seen.moves && mark.page === pageOf(here) && !unlike(awaited, url, names).length;
      if (!followed) return;
      awaited = null;
    }
    const there = mark.page === pageOf(here) ? new URL(here) : new URL(`./${mark.page}${url.search}`, here);
    const same = mark.run === before.run && mark.changes === before.changes;
    const corrected = same ? unlike(known, url, allNames(known, url).filter((name) => !names.includes(name))) : [];
    for (const name of [...names, ...corrected]) take(there, name, url);
    [seen, known] = [mark, url];
    write(mark.changes !== before.changes && differ(window.location.href, there) ? pushState : replaceState, there);
  }

  const takeOver = (otherwise) => (state, title, address) => {
    const url = new URL(address ?? "", window.location.href);
    if (markOf(url)) ofPython(url);
    else otherwise(url);
  };
  window.history.replaceState = takeOver(ofWidget);
  window.history.pushState = takeOver(() => {});

  for (const kind of ["pointerdown", "keydown"]) {
    window.addEventListener(kind, () => { touched = true; }, true);
  }
  window.addEventListener("popstate", (event) => {
    touched = false;
    // Streamlit does not tell Python of a place in the page.
    if (event.isTrusted && !window.location.hash) awaited = new URL(window.location.href);
  });
  // A choice right after Back can make Streamlit forget that the visitor went back: then it is told again, once.
  const app = document.querySelector(".stApp");
  if (app) new MutationObserver(() => {
    if (!awaited || app.dataset.testScriptState !== "notRunning") return;
    if (awaited.told) awaited = null;
    else {
      awaited.told = true;
      window.dispatchEvent(new PopStateEvent("popstate", { state: window.history.state }));
    }
  }).observe(app, { attributeFilter: ["data-test-script-state"] });
  // Python may have written before this script was there.
  if (markOf(window.location.href)) write(replaceState, new URL(window.location.href));
}

function markOf(address) {
  const mark = new URL(address).searchParams.get(MARK);
  if (mark === null) return null;
  const [run, changes, moves, page] = mark.split(".");
  return { run, changes, moves, page };
}

function pageOf(url) { return url.pathname.split("/").at(-1); }

function allNames(...urls) { return [...new Set(urls.flatMap((url) => [...url.searchParams.keys()]))]; }

function unlike(one, other, names) {
  return names.filter((name) => String(one.searchParams.getAll(name)) !== String(other.searchParams.getAll(name)));
}

function take(url, name, from) {
  const [first, ...others] = from.searchParams.getAll(name);
  if (first === undefined) url.searchParams.delete(name);
  else url.searchParams.set(name, first);
  for (const value of others) url.searchParams.append(name, value);
}

function differ(before, now) {
  const [one, other] = [new URL(before), new URL(now)];
  const loud = allNames(one, other).filter((name) => name !== MARK && !QUIET.includes(name));
  return one.pathname !== other.pathname || unlike(one, other, loud).length > 0;
}
