// One of each for the whole window, however often the component is made.
const view = (window.seVizView ??= { send: () => {}, started: false });

export default function ({ data, parentElement, setTriggerValue }) {
  if (!view.started) {
    view.started = true;
    followHistory();
    followClicks((what) => view.send(what));
  }
  view.send = (what) => setTriggerValue("clicked", what);
  const said = parentElement.querySelector(".said");
  const words = parentElement.querySelector(".words");
  parentElement.querySelector(".copy").onclick = async () => {
    const done = await copy(addressOf(data.shown));
    said.textContent = done ? "The link to this view was copied." : "The browser did not allow it: copy the address.";
    words.textContent = done ? "Copied" : "Not allowed";
    window.setTimeout(() => { words.textContent = "Copy link"; said.textContent = ""; }, 2500);
  };
}
