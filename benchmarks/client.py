"""A page without a browser: the server in a child process, and a client that speaks Streamlit's protocol.

The client does what the browser does between a click and the end of the rerun: it sends the state of the widgets over
the websocket, names the large messages it still holds, so that the server need not send them again, and uploads files
over HTTP. It draws nothing. Written for streamlit 1.67, whose protocol is internal and may change.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs, UploadedFileInfo
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

ROOT = Path(__file__).parents[1]
PATIENCE = 300  # seconds
# Where a kind of widget has its value in WidgetState, for the kinds that ``Session.choose`` and ``slide`` set.
_FIELDS = {
    "selectbox": "string_value",
    "button_group": "string_array_value",
    "multiselect": "string_array_value",
    "slider": "double_array_value",
}


class Server:
    """``streamlit run`` of a script with the project's configuration, from its start to the end of the block.

    Without a script it is the page as ``make run`` starts it; ``variables`` are added to the environment.
    """

    def __init__(self, script: Path | None, variables: Mapping[str, str] | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        host, port = self.address.split(":")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        options = [f"--server.address={host}", f"--server.port={port}", "--server.headless=true"]
        command = ["streamlit", "run", str(script), *options] if script else ["se_viz", "app", "--port", port]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=os.environ | (variables or {}),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> "Server":
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(requests.ConnectionError):
                if requests.get(f"http://{self.address}/_stcore/health", timeout=PATIENCE).ok:
                    return self
            time.sleep(0.01)
        self.__exit__()
        raise RuntimeError(f"The server did not start:\n{self.log()}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The number of the server's process."""
        return self._process.pid

    def cpu_ms(self) -> float:
        """Processor time of the server's process so far, in steps of 10 ms; 0 where there is no /proc."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self) -> str:
        """The last lines that the server wrote."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-4000:]


@dataclass
class Action:
    """Cost of one action: milliseconds to the end of the rerun, bytes and messages that came to the browser."""

    ms: float
    bytes: int
    messages: int


@dataclass
class _Widget:
    id: str
    field: str
    fragment: str
    parameter: str
    options: list[str]
    default: str


@dataclass
class _Cache:
    """The browser's store of large messages: each goes when unused for ``age`` runs of the script, or its fragment."""

    age: int = 0  # told by the server at the start of each run of the whole script
    runs: int = 0
    held: dict[str, list] = field(default_factory=dict)  # hash → [run of the last use, fragment]

    def see(self, message: ForwardMsg) -> None:
        key = message.ref_hash or (message.hash if message.metadata.cacheable else "")
        if key:
            self.held.setdefault(key, [self.runs, message.delta.fragment_id])[0] = self.runs

    def finish(self, fragments: Sequence[str]) -> None:
        self.runs += 1
        for key, (used, fragment) in list(self.held.items()):
            if (not fragments or fragment in fragments) and self.runs - used > self.age:
                del self.held[key]


class Session:
    """One open page."""

    def __init__(self, address: str, query: str = "", page: str = "") -> None:
        self._address = address
        self._query = query
        self._name = page  # as in the address; the first page has none
        self._widgets: dict[str, _Widget] = {}  # by the key in the script
        self._states: dict[str, WidgetState] = {}  # by id
        self._cache = _Cache()
        self._downloads: dict[str, str] = {}  # key → what the server calls the file that it has yet to make
        self.alerts: list[str] = []  # of the last run
        self._session, self._page = "", ""
        self._closing = ExitStack()
        self._http = requests.Session()
        self._http.get(f"http://{address}/_stcore/health", timeout=PATIENCE)  # sets the cookie against forgery

    def __enter__(self) -> "Session":
        # No Origin, as there is no page; no size limit and no pings, as a browser has none.
        opened = connect(
            f"ws://{self._address}/_stcore/stream",
            subprotocols=["streamlit"],
            max_size=None,
            open_timeout=PATIENCE,
            ping_interval=None,
        )
        self._socket = self._closing.enter_context(opened)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def load(self) -> Action:
        """Run the script for the first time."""
        return self._rerun(time.perf_counter())

    def options(self, key: str) -> tuple[list[str], str]:
        """Return the options of a select box or segmented control, and the one it was first shown with."""
        if key not in self._widgets:
            raise KeyError(f"{key} is not on the page, which has {sorted(self._widgets)} and says {self.alerts}")
        widget = self._widgets[key]
        return widget.options, widget.default

    def choose(self, key: str, value: str | list[str]) -> Action:
        """Set a select box, segmented control or multiselect to the option or options with that text."""
        start = time.perf_counter()
        widget = self._widgets[key]
        state = WidgetState(id=widget.id)
        if widget.field == "string_value":
            state.string_value = value
        else:
            state.string_array_value.data[:] = [value] if isinstance(value, str) else value
        self._states[widget.id] = state
        if widget.parameter:  # the browser puts it into the address
            self._query = urlencode({**parse_qs(self._query), widget.parameter: value}, doseq=True)
        return self._rerun(start, widget.fragment)

    def slide(self, key: str, value: float) -> Action:
        """Move a slider."""
        start = time.perf_counter()
        widget = self._widgets[key]
        state = WidgetState(id=widget.id)
        state.double_array_value.data[:] = [value]
        self._states[widget.id] = state
        if widget.parameter:
            self._query = urlencode({**parse_qs(self._query), widget.parameter: value}, doseq=True)
        return self._rerun(start, widget.fragment)

    def upload(self, files: dict[str, bytes], key: str = "upload") -> Action:
        """Drop files into an uploader, in place of those it held."""
        start = time.perf_counter()
        return self._rerun(start, self._drop(files, key))

    def _drop(self, files: dict[str, bytes], key: str) -> str:
        """Send files for an uploader, remove those it held, and return the fragment that is to run with them."""
        urls = self._upload_urls(files)
        with ThreadPoolExecutor(6) as pool:  # as many connections as a browser opens
            taken = list(pool.map(self._put, urls, files.items()))
        widget = self._widgets[key]
        before = self._states.get(widget.id, WidgetState()).file_uploader_state_value.uploaded_file_info
        for info in before:
            address = f"http://{self._address}{info.file_urls.delete_url}"
            self._http.delete(address, headers=self._token(), timeout=PATIENCE).raise_for_status()
        state = WidgetState(id=widget.id)
        state.file_uploader_state_value.SetInParent()
        for url, (name, content), there in zip(urls, files.items(), taken, strict=True):
            if there:
                about = UploadedFileInfo(name=name, size=len(content), file_id=url.file_id, file_urls=url)
                state.file_uploader_state_value.uploaded_file_info.append(about)
        self._states[widget.id] = state
        return widget.fragment

    def download(self, key: str) -> bytes:
        """Press a download button whose file is made when it is wanted, and fetch the file."""
        return self.fetch(self.press_download(key))

    def press_download(self, key: str) -> str:
        """Press the button, and return the address of the file."""
        ask = BackMsg()
        ask.backend_operation_request.request_id = key
        ask.backend_operation_request.session_id = self._session
        ask.backend_operation_request.deferred_file.file_id = self._downloads[key]
        self._socket.send(ask.SerializeToString())
        while not (message := self._receive()[0]).HasField("backend_operation_response"):
            pass
        answer = message.backend_operation_response
        if answer.error_msg:
            raise RuntimeError(f"The download {key} failed: {answer.error_msg}")
        return answer.deferred_file.url

    def fetch(self, path: str) -> bytes:
        """A file of the server."""
        response = self._http.get(f"http://{self._address}{path}", timeout=PATIENCE)
        response.raise_for_status()
        return response.content

    def _upload_urls(self, names: Iterable[str]) -> Sequence[FileURLs]:
        ask = BackMsg()
        ask.file_urls_request.request_id = "files"
        ask.file_urls_request.session_id = self._session
        ask.file_urls_request.file_names.extend(names)
        self._socket.send(ask.SerializeToString())
        while not (message := self._receive()[0]).HasField("file_urls_response"):
            pass
        return message.file_urls_response.file_urls

    def _put(self, url: FileURLs, file: tuple[str, bytes]) -> bool:
        """Send a file, and return whether the server keeps it."""
        address = f"http://{self._address}{url.upload_url}"
        self._http.put(address, files={"file": file}, headers=self._token(), timeout=PATIENCE).raise_for_status()
        return True

    def _token(self) -> dict[str, str]:
        return {"X-Xsrftoken": self._http.cookies["_streamlit_xsrf"]}

    def _rerun(self, start: float, fragment: str = "") -> Action:
        """Ask for a run of the script, or of a fragment, and take in what it sends until it has finished."""
        self._ask(fragment)
        self.alerts.clear()
        size = messages = 0
        while True:
            message, received = self._receive()
            size, messages = size + received, messages + 1
            kind = message.WhichOneof("type")
            if kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                self._cache.finish(message.metadata.run.fragment_ids)
                return Action(1000 * (time.perf_counter() - start), size, messages)
            if kind == "new_session":
                self._session = message.new_session.initialize.session_id
                self._page = message.new_session.page_script_hash
                self._cache.age = message.new_session.config.max_cached_message_age
            elif kind == "page_info_changed":
                self._query = message.page_info_changed.query_string
            elif kind == "delta":
                self._element(message.delta)

    def _ask(self, fragment: str) -> None:
        back = BackMsg()
        back.rerun_script.query_string = self._query
        back.rerun_script.page_script_hash = self._page
        if not self._page:
            back.rerun_script.page_name = self._name
        back.rerun_script.fragment_id = fragment
        back.rerun_script.widget_states.widgets.extend(self._states.values())
        back.rerun_script.cached_message_hashes.extend(self._cache.held)
        back.rerun_script.context_info.timezone = "UTC"
        self._socket.send(back.SerializeToString())

    def _receive(self) -> tuple[ForwardMsg, int]:
        content = self._socket.recv(PATIENCE)
        message = ForwardMsg.FromString(content)
        self._cache.see(message)
        return message, len(content)

    def _element(self, delta: Delta) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind)
        if kind == "exception":
            raise RuntimeError(f"The page shows an error: {element.type} {element.message}")
        if kind == "alert":
            self.alerts.append(element.body)
        elif kind == "download_button":
            self._downloads[_key(element.id)] = element.deferred_file_id
        elif kind in _FIELDS or kind == "file_uploader":
            key = _key(element.id)
            options = [getattr(option, "content", option) for option in getattr(element, "options", ())]
            first = element.default if kind == "selectbox" else next(iter(getattr(element, "default", ())), 0)
            parameter = getattr(element, "query_param_key", "")
            default = options[int(first)] if options else ""
            self._widgets[key] = _Widget(
                element.id, _FIELDS.get(kind, ""), delta.fragment_id, parameter, options, default
            )


def _key(number: str) -> str:
    """The key in the script, of an element's number: $$ID-<hash>-<key>."""
    return number.split("-", 2)[2]
