// One of each for the whole window, however often the component is made.
const view = (window.seVizView ??= { send: () => {}, present: () => {}, started: false });

export default function ({ data, parentElement, setTriggerValue }) {
  if (!view.started) {
    view.started = true;
    followClicks((what) => view.send(what));
    followFullscreen((on) => view.present(on));
    nameFields();
    window.addEventListener("resize", () => requestAnimationFrame(focusWhatScrolls));
    window.addEventListener("beforeprint", fitPaper);
    // At the end of a run, too: Streamlit may draw elements again that were there.
    const app = document.querySelector(".stApp");
    new MutationObserver(arrange).observe(app, { attributeFilter: ["data-test-script-state"] });
  }
  view.send = (what) => setTriggerValue("clicked", what);
  view.present = (on) => setTriggerValue("presented", on ? "on" : "off");
  offerPresentation(parentElement.querySelector(".present"), data.present, view.present);
  arrange();
  for (const button of parentElement.querySelectorAll(".copy")) button.classList.toggle("short", data.full);
  const said = parentElement.querySelector(".said");
  const words = parentElement.querySelector(".link .words");
  parentElement.querySelector(".link").onclick = async () => {
    const done = await copy(addressOf(data.shown));
    said.textContent = done ? "The link to this view was copied." : "The browser did not allow it: copy the address.";
    words.textContent = done ? "Copied" : "Not allowed";
    window.setTimeout(() => { words.textContent = "Copy link"; said.textContent = ""; }, 2500);
  };
}

function arrange() {
  requestAnimationFrame(() => {
    showChosen();
    focusWhatScrolls();
  });
}
