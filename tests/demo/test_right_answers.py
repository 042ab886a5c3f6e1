import base64
import json

import numpy as np
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.demo import pretrained as demo
from se_viz.demo.card import Card
from se_viz.demo.right_answers import RightAnswers, order_of

RUN = CliRunner()
HASHES = ["c3", "a1", "d4", "b2", "e5", "f6", "17", "28", "39"]


def test_bits_are_in_the_order_of_the_hashes_however_the_images_come():
    right = np.array([1, 0, 0, 1, 1, 1, 0, 1, 1], bool)
    kept = RightAnswers.of(right, HASHES)
    assert kept.unpacked().tolist() == [right[HASHES.index(one)] for one in sorted(HASHES)]
    turned = RightAnswers.of(right[::-1], HASHES[::-1])
    assert turned == kept
    assert kept.same_images(turned)
    assert not kept.same_images(RightAnswers.of(right, [*HASHES[:-1], "40"]))
    assert order_of(HASHES) == order_of(HASHES[::-1]) != order_of(HASHES[:-1])


def test_what_is_not_a_bit_for_each_image_is_refused():
    for images, bits in ((9, "AA=="), (3, "AAA="), (0, ""), (8, "?"), (9, "A")):
        with pytest.raises(ValueError, match=r"bits|bytes"):
            RightAnswers(images, "", bits)
    with pytest.raises(ValueError, match="as many hashes"):
        RightAnswers.of(np.ones(2, bool), HASHES)


def test_every_shipped_network_says_which_images_it_gets_right():
    cards = [demo.card(name) for name in demo.names()]
    assert all(card.right is not None for card in cards)
    assert {(card.right.images, card.right.order) for card in cards} == {(3925, cards[0].right.order)}
    assert len(base64.b64decode(cards[0].right.bits)) == 491


def test_cards_of_older_versions_are_read_and_contradictions_refused(tmp_path):
    written = json.loads((demo.folder() / "r16.json").read_text())
    path = tmp_path / "r16.json"
    path.write_text(json.dumps({key: value for key, value in written.items() if key != "right"}))
    assert Card.read(path).right is None
    written["accuracy"]["correct"] -= 1
    path.write_text(json.dumps(written))
    with pytest.raises(ValidationError, match="3556 of 3925 bits of right answers do not agree with the accuracy"):
        Card.read(path)


@pytest.fixture(scope="module")
def trained(tiny_imagenette, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    arguments = ["--data", tiny_imagenette, "--device", "cpu", "--epochs", "1", "--out", folder, "--work", folder]
    made = RUN.invoke(app, ["train", *map(str, arguments)])
    assert made.exit_code == 0, made.output
    return folder


def verified(tiny_imagenette, folder, *options):
    return RUN.invoke(
        app, ["verify", "--data", str(tiny_imagenette), "--device", "cpu", "--root", str(folder), *options]
    )


def test_a_folder_without_weights_is_not_verified_in_silence(tiny_imagenette, tmp_path):
    ran = CliRunner().invoke(app, ["verify", "--data", str(tiny_imagenette), "--root", str(tmp_path)])
    assert ran.exit_code == 1
    assert "has no weights with a card" in " ".join(ran.output.split())


@pytest.mark.slow
def test_verify_compares_each_image_with_the_card(tiny_imagenette, trained):
    path = trained / "r16.json"
    card = Card.read(path)
    assert card.right.images == 10
    assert verified(tiny_imagenette, trained).output.endswith("; no images classified differently.\n")
    right = card.right.unpacked()
    swapped = right.copy()
    swapped[[right.argmax(), right.argmin()]] = swapped[[right.argmin(), right.argmax()]]
    bits = base64.b64encode(np.packbits(swapped).tobytes()).decode()
    path.write_text(path.read_text().replace(card.right.bits, bits))
    assert Card.read(path).accuracy == card.accuracy
    found = verified(tiny_imagenette, trained)
    assert "2 images classified differently" in found.output
    assert found.exit_code == 1
    path.write_text(path.read_text().replace(card.right.order, "0" * 64))
    assert "the card is of other files" in verified(tiny_imagenette, trained).output
    card.write(path)


@pytest.mark.slow
def test_answers_are_added_to_cards_without_them_only_if_the_accuracy_is_theirs(tiny_imagenette, trained):
    path = trained / "r16.json"
    card = Card.read(path)
    older = json.loads(path.read_text()) | {"right": None}
    path.write_text(json.dumps(older))
    assert "and not which images" in verified(tiny_imagenette, trained).output
    assert Card.read(path).right is None
    assert "are added" in verified(tiny_imagenette, trained, "--add-answers").output
    assert Card.read(path) == card
    older["accuracy"]["correct"] += 1
    path.write_text(json.dumps(older))
    refused = verified(tiny_imagenette, trained, "--add-answers")
    assert refused.exit_code == 1
    assert "so the card is left as it is" in refused.output
    card.write(path)
