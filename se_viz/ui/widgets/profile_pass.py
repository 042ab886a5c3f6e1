"""A pass that makes class profiles on the page: its request, its progress with Stop, and the end of the last one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from se_viz.data.dataset_sources import Dataset
from se_viz.gates.capture import Capture
from se_viz.model.model import Model
from se_viz.profiles.engine import LocalEngine
from se_viz.profiles.errors import OtherPass
from se_viz.profiles.metadata import LabelSource
from se_viz.profiles.profile import profile
from se_viz.profiles.unfinished import discard, images_done
from se_viz.reports.pass_account import account
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import device_queue
from se_viz.ui.state.models import with_cpu_fallback
from se_viz.ui.state.visitor import session_id

BATCH = 16  # images of a batch: captures of other sessions wait for at most this many
_LAST = "last_pass"  # in the session: the folder of the last pass, and how it ended
_ACCOUNTS = "accounts_of_passes"  # in the session, by folder: what a pass counted and left out
_PENDING = "requested_pass"  # in the session: the pass that was requested and has not ended
_making: dict[Path, str] = {}  # the session that makes the class profiles of a folder
_ended = Condition()
_SECONDS = 0.5  # between two looks at whether a click has ended a run that waits


@dataclass(frozen=True)
class Request:
    """A requested pass; it is kept until it is finished or stopped, whatever else is clicked meanwhile.

    Attributes:
        model: the model, from ``named``.
        source: the choice of the images, by which their section of the page finds them again.
        images: a name of the images, for sentences.
        restart: whether to discard an unfinished pass first.
    """

    model: str
    source: tuple[str, ...]
    images: str
    restart: bool = False


@dataclass(frozen=True)
class PassInput:
    """The images of a pass.

    Attributes:
        about: a sentence on the pass, shown while it runs.
        out: folder for the class profiles.
        listed: returns the dataset.
        labels: the source of the images' classes.
        shard: images of a shard: Stop loses at most this many.
        keep_images: whether s of every image is stored.
        finished: called with the folder when the pass is finished.
    """

    about: str
    out: Path
    listed: Callable[[], Dataset]
    labels: LabelSource
    shard: int
    keep_images: bool = False
    finished: Callable[[Path], None] | None = None


def named(model: Model) -> str:
    """Return a name for the model of class profiles; the device does not matter."""
    return f"{model.name} {model.precision}"


def requested(model: Model) -> Request | None:
    """Return the requested pass, if it is of this model."""
    pending: Request | None = st.session_state.get(_PENDING)
    return pending if pending is not None and pending.model == named(model) else None


def request(pending: Request) -> None:
    """Record what to make. Callbacks run before the page does, so no other click can come in between."""
    st.session_state[_PENDING] = pending


def offer(out: Path, shard: int, first: str, key: str, ask: Callable[[bool], None]) -> None:
    """Draw the button that starts a pass, and the state of the last one.

    Args:
        out: folder for the class profiles.
        shard: images of a shard.
        first: label of the button, if there is no unfinished pass.
        key: key of the button.
        ask: callback of the button, see ``request``; its argument is whether to start over.
    """
    last, done = st.session_state.get(_LAST), images_done(out)
    if last and last[0] == out and last[1].startswith("failed: "):
        st.error(escape_markdown(last[1].removeprefix("failed: ")))
    elif last == (out, "other"):
        st.warning(
            "The images, the network or the settings differ from those of the unfinished class profiles in this folder."
        )
    elif done:
        images = "1 image is" if done == 1 else f"{done:,} images are"
        st.info(f"These class profiles are unfinished: {images} counted and kept. The pass continues after them.")
    elif last == (out, "stopped"):
        st.info(f"Stopped. No images are kept yet: they are kept {shard} at a time.")
    elif last == (out, "finished"):
        st.success("Finished. The page shows these class profiles, or offers them at the top.")
        st.markdown("\n".join(f"- {escape_markdown(line)}" for line in account_of(out)))
    other = last == (out, "other")
    label = "Start over" if other else "Continue" if done else first
    st.button(label, key=key, type="primary", on_click=ask, args=(other,))


def account_of(out: Path) -> Sequence[str]:
    """Return the sentences on what the pass into a folder counted and left out; empty if it is of another session."""
    listed: Sequence[str] = st.session_state.get(_ACCOUNTS, {}).get(out, ())
    return listed


def go_on(model: Model, find: Callable[[tuple[str, ...]], PassInput | None]) -> None:
    """Draw the pass that was requested, and run it to its end; a page calls it last, whatever part of it is open.

    Args:
        model: the model of the page.
        find: returns the images of a request by their choice; None if they are not available.
    """
    pending, other = requested(model), st.session_state.get(_PENDING)
    if pending is not None and (source := find(pending.source)):
        st.caption(escape_markdown(source.about))
        _make(model, source, pending)
    elif pending is not None:
        st.info(
            escape_markdown(f"The images for the class profiles of {pending.images} are not here: choose them again.")
        )
    elif other:
        st.info(
            escape_markdown(
                f"The class profiles of {other.images} are of another network. Choose it again to continue."
            )
        )


def _stop() -> None:
    st.session_state.pop(_PENDING, None)


def _make(model: Model, source: PassInput, pending: Request) -> None:
    """Make the requested class profiles, and run the page again, unless another session makes them."""
    out = source.out
    if not _reserve(out):
        _stop()
        st.info("Another session is making these class profiles. Open the page again when they are finished.")
        return
    try:
        if pending.restart:
            discard(out)
            st.session_state[_PENDING] = replace(pending, restart=False)  # only once, not at every rerun
        st.session_state[_LAST] = (out, "stopped")  # until another outcome is recorded
        _run(model, source)
        st.session_state[_LAST] = (out, "finished")
    except OtherPass:
        st.session_state[_LAST] = (out, "other")
    except (ValueError, OSError) as error:
        st.session_state[_LAST] = (out, f"failed: {error}")
    finally:
        with _ended:
            del _making[out]
            _ended.notify_all()
    _stop()
    st.rerun(scope="app")


def _reserve(out: Path) -> bool:
    """Record that this session makes the class profiles of a folder; return whether no other session does.

    An earlier run of this session may still be in a batch: where the browser has connected again, Streamlit does not
    wait for the end of that run. It ends after the batch.
    """
    session, waiting = session_id(), None
    with _ended:
        while (owner := _making.get(out)) is not None:
            if owner != session:
                return False
            waiting = waiting or st.empty()
            waiting.info("The previous run ends after its current batch of images; then the pass continues.")
            _ended.wait(_SECONDS)
        _making[out] = session
    if waiting:
        waiting.empty()
    return True


def _run(model: Model, source: PassInput) -> None:
    """Make the class profiles with a progress bar.

    A click on anything ends this run at the next update of the bar, and the next run continues.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0)
        st.button("Stop", key="stop_pass", on_click=_stop)
    progress = _Progress(bar)

    def turn(work: Callable[[], Capture]) -> Capture:
        return device_queue.take(work, str(model.device), progress.repeat)

    with with_cpu_fallback(str(model.device)):
        listed = source.listed()
        made = profile(
            model,
            listed,
            source.out,
            labels=source.labels,
            images=source.keep_images,
            batch=BATCH,
            shard=source.shard,
            engine=LocalEngine(turn),
            report=progress.report,
        )
    st.session_state.setdefault(_ACCOUNTS, {})[source.out] = account(made, listed.notes)
    if source.finished:
        source.finished(source.out)


class _Progress:
    """The progress bar of a pass, which is drawn again while the pass waits, so that a click can end the run."""

    def __init__(self, bar: DeltaGenerator) -> None:
        self._bar, self._share, self._said = bar, 0.0, "Listing the images …"
        self.repeat()

    def report(self, done: int, total: int) -> None:
        self._share, self._said = done / total, f"{done:,} of {total:,} images"
        self.repeat()

    def repeat(self, _ahead: int = 0) -> None:
        self._bar.progress(self._share, self._said)
