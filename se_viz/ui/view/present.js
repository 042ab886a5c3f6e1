// Presentation mode fills the screen where the browser allows it; to leave the full screen ends it.
let filled = false;

function offerPresentation(button, on, present) {
  button.setAttribute("aria-pressed", String(on));
  button.title = button.querySelector(".words").textContent = on ? "End presentation" : "Present";
  button.onclick = () => {
    if (!on) document.documentElement.requestFullscreen?.().then(() => { filled = true; }).catch(() => {});
    present(!on);
  };
  if (!on) leaveScreen();
}

function leaveScreen() {
  if (filled && document.fullscreenElement) document.exitFullscreen().catch(() => {});
  filled = false;
}

function followFullscreen(present) {
  document.addEventListener("fullscreenchange", () => {
    if (document.fullscreenElement || !filled) return;
    filled = false;
    present(false);
  });
}
