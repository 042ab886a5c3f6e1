"""Time from ``streamlit run app.py`` to the first complete page, in a fresh process, and its parts.

The whole is measured with a real server and one session; its parts one after the other in a process that does what
the server does, and its imports by package with ``-X importtime`` (which itself takes time: read them as shares).
Files are warm in the system's cache. Beside each time stands the processor's, which other programs disturb less. No
bar: numbers to trim by.

Usage: python benchmarks/startup.py [--quick] [--json FILE]
"""

import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict

from client import ROOT, Server, Session
from common import arguments, write

_PACKAGES_SHOWN = 14

Times = dict[str, tuple[float, float]]  # milliseconds that passed, and of the processor
# What happens until the first page is complete, in this order.
_IMPORTS = {
    "import streamlit's server": "import streamlit, streamlit.web.bootstrap, streamlit.web.server.server",
    "import torch": "import torch",
    "import the rest of the page": "import se_viz.ui.app",
}
_PARTS = {
    **_IMPORTS,
    "build demo/r16 with its weights": "from se_viz.zoo import registry; net = registry.build('demo/r16')",
    "find and prove its gates": (
        "from se_viz.model.model import Model; model = Model('', net.module, net.preprocess, net.classes)"
    ),
    "decode four samples": (
        "from se_viz.data.sample_images import SAMPLES, sample; images = [sample(one.key) for one in SAMPLES[:4]]"
    ),
    "read them": "import se_viz; reading = [se_viz.capture(model, image) for image in images]",
    "draw eight charts": (
        "from se_viz.figures.heatmap import attention_heatmap\n"
        "for gate in model.gates: attention_heatmap(reading[0][gate.name], ['one']).figure.to_json()"
    ),
}
_TIMED = """
import json, sys, time
took = {}
for name, code in json.loads(sys.argv[1]).items():
    start, used = time.perf_counter(), time.process_time()
    exec(code, globals())
    took[name] = [1000 * (time.perf_counter() - start), 1000 * (time.process_time() - used)]
print(json.dumps(took))
"""


def whole() -> Times:
    """Return the seconds from the command to an answering server, and to the end of the first session's run."""
    start = time.perf_counter()
    with Server(ROOT / "app.py") as server:
        answers = 1000 * (time.perf_counter() - start), server.cpu_ms()
        with Session(server.address) as session:
            session.load()
        complete = 1000 * (time.perf_counter() - start), server.cpu_ms()
    return {"server answers": answers, "first page complete": complete}


def parts() -> Times:
    """Each part."""
    command = [sys.executable, "-c", _TIMED, json.dumps(_PARTS)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def imports(*, quick: bool) -> dict[str, float]:
    """Milliseconds of importing each package's own modules, without what they import from others.

    The quick ones are those of Streamlit alone.
    """
    code = list(_IMPORTS.values())
    command = [sys.executable, "-X", "importtime", "-c", "; ".join(code[:1] if quick else code)]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stderr.splitlines()
    took: dict[str, float] = defaultdict(float)
    for line in lines:
        fields = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and fields[0].strip().isdigit():
            took[fields[2].strip().partition(".")[0]] += int(fields[0]) / 1000
    return dict(sorted(took.items(), key=lambda item: -item[1]))


def medians(runs: list[Times]) -> Times:
    """Print the times of each entry."""
    return {name: tuple(statistics.median(run[name][i] for run in runs) for i in (0, 1)) for name in runs[0]}


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__).parse_args()
    times = 1 if options.quick else 5
    # In turns, so that whatever else the machine does falls on both.
    runs = [(whole(), parts()) for _ in range(times)]
    numbers = {
        "whole": medians([run[0] for run in runs]),
        "parts": medians([run[1] for run in runs]),
        "imports": imports(quick=options.quick),
    }
    print(f"median of {times}, ms{'clock':>25}{'cpu':>9}")
    total = tuple(map(sum, zip(*numbers["parts"].values(), strict=True)))
    for title, table in ("streamlit run app.py", numbers["whole"]), ("its parts", {**numbers["parts"], "sum": total}):
        print(title)
        for name, (took, used) in table.items():
            print(f"  {name:34}{took:9.0f}{used:9.0f}")
    print("imports by package, own modules only")
    for name, took in list(numbers["imports"].items())[:_PACKAGES_SHOWN]:
        print(f"  {name:34}{took:9.0f}")
    write(options.json, numbers)


if __name__ == "__main__":
    main()
