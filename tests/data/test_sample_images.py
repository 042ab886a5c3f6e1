import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from se_viz.data import sample_images
from se_viz.data.sample_images import SAMPLES, Sample, UnknownSample
from se_viz.data.sample_images import sample as sample_image


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.key)
def test_every_sample_is_a_colour_photograph(sample: Sample) -> None:
    image = sample_image(sample.key)
    assert (image.name, image.licence) == (sample.title, sample.licence)
    assert min(image.rgb.size) >= 300
    red, green, blue = np.moveaxis(np.asarray(image.rgb).astype(int), -1, 0)
    assert (abs(red - green) + abs(green - blue)).mean() > 2
    assert sample_image(sample.key) is image


def test_every_sample_is_another_image_with_its_licence() -> None:
    assert (
        len({sample_image(sample.key) for sample in SAMPLES}) == len(SAMPLES) == len({sample.key for sample in SAMPLES})
    )
    assert all(sample.licence.startswith(("CC0, ", "CC BY 2.0, ", "Public domain, ")) for sample in SAMPLES)


def test_an_unknown_key_lists_those_there_are() -> None:
    with pytest.raises(UnknownSample) as caught:
        sample_image("dog")
    assert (
        str(caught.value) == f"There is no sample 'dog': choose one of {', '.join(sample.key for sample in SAMPLES)}."
    )


FOLDER = Path(sample_images.__file__).with_name("samples")


def test_the_licences_name_every_file_of_the_folder_and_no_other() -> None:
    rows = [line.split("|") for line in (FOLDER / "LICENCES.md").read_text().splitlines() if line.startswith("| ")][1:]
    listed = {row[1].strip(): row[3].strip() for row in rows}
    assert set(listed) == {sample.file for sample in SAMPLES}
    assert {path.name for path in FOLDER.iterdir()} == {*listed, "LICENCES.md"}
    assert all(sample.licence.endswith(listed[sample.file]) for sample in SAMPLES)


def test_the_files_are_the_ones_the_shipped_numbers_were_computed_from() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in FOLDER.glob("*.[jp]*g")}
    assert found == {
        "astronaut.png": "88431cd9653ccd53",
        "chelsea.png": "596aa1e7cb875eb7",
        "china.jpg": "8378025ad2519d64",
        "coffee.png": "cc02f8ca188b167c",
        "flower.jpg": "a77f6ec41e353afd",
        "golf_ball.jpg": "8b1d8983e0c96d2e",
        "hubble_deep_field.jpg": "3a19c5dd8a927a93",
        "retina.jpg": "38a07f36f27f095e",
        "rocket.jpg": "c2dd0de7c538df8d",
    }


def test_torch_is_not_imported() -> None:
    program = (
        "import sys; from se_viz.data.sample_images import SAMPLES, sample; [sample(one.key) for one in SAMPLES];"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r16", "r2", "r4", "r32", "r16-max", "r16-tanh"])
def test_a_demo_model_knows_the_first_sample(name) -> None:
    from se_viz import capture, load, predict

    image = sample_image(SAMPLES[0].key)
    model = load(f"demo/{name}", "cpu")
    said = predict(model, capture(model, image), images=[image]).images[0]
    model.close()
    assert said.shown[0].label in SAMPLES[0].shows
    assert not said.closest
