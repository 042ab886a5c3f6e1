"""Ablations over a dataset, against a plain loop of captures with edits, and what they do with odd data and files."""

import csv
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from scipy.stats import binomtest
from support import forked
from support.ablations import CLASSES, EDITS, SETTINGS, make_images, tiny
from support.faulty_disk import full_disk
from torch import nn

import se_viz
from se_viz.data.dataset_sources import dataset
from se_viz.data.images import decode
from se_viz.data.preprocess import Preprocess
from se_viz.demo.evaluate import accuracy
from se_viz.disk.errors import WriteFailed
from se_viz.gates.errors import NotReadable
from se_viz.interventions import ablate as ablate_module
from se_viz.interventions.ablate import ablate
from se_viz.interventions.ablation import AblationRefused
from se_viz.interventions.ablation_file import open_ablation
from se_viz.interventions.baseline import NoMean
from se_viz.interventions.capture import capture
from se_viz.interventions.edits import Sources, mean_of, scale, shuffle, swap
from se_viz.interventions.planned_edits import plan_edits, trial_sources
from se_viz.model.model import Model
from se_viz.profiles.errors import OtherPass, ProfilesError, ProfilesMismatch
from se_viz.profiles.profile import profile
from se_viz.weights.head import Head


@pytest.fixture(scope="module")
def model():
    made = tiny(seed=3, classes=CLASSES)
    yield made
    made.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three classes of seven images, one of them broken."""
    folder = make_images(tmp_path_factory.mktemp("photos"), CLASSES, count=7)
    (folder / "green" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    return folder


@pytest.fixture(scope="module")
def whole(model, photos, tmp_path_factory):
    return ablate(model, photos, tmp_path_factory.mktemp("whole"), edits=EDITS, **SETTINGS)


def naive(model, listed, edits, batch, profiles):
    """Outputs of all images without edits, and with each edit, in the dataset's order."""
    order = np.random.default_rng(ablate_module._ORDER).permutation(len(listed))
    shown = [listed.read(index)[0] for index in order]
    parts = [shown[start : start + batch] for start in range(0, len(shown), batch)]
    back = np.argsort(order)
    plain = np.concatenate([capture(model, part).logits for part in parts])[back]
    edited = [[capture(model, part, edits=edit, profiles=profiles).logits for part in parts] for edit in edits]
    return plain, [np.concatenate(outputs)[back] for outputs in edited]


@pytest.mark.slow
def test_it_is_what_a_plain_loop_over_200_images_gives(model, tmp_path):
    photos = make_images(tmp_path / "photos", (*CLASSES,), count=67)
    (photos / "red" / "66.png").unlink()  # 200 images, 8 to a batch
    profiles = profile(model, photos, tmp_path / "profiles", batch=8)
    edits = {
        "SE_1_1": [1.0, "mean", shuffle(), mean_of("green"), scale(0.5)],
        "stage 2": [np.linspace(0, 2, 6), shuffle(3)],
        "all": [1, "mean", shuffle()],
        "both": {"SE_1_1": {0: 0.0, 3: "mean"}, "SE_2_1": 1.0},
    }
    found = ablate(model, photos, tmp_path / "out", edits=edits, profiles=profiles, batch=8, shard=80)
    asked = [{key: value} for key in ("SE_1_1", "stage 2", "all") for value in edits[key]] + [edits["both"]]
    listed = dataset(photos)
    plain, outputs = naive(model, listed, asked, 8, profiles)
    labels = np.array([CLASSES.index(listed.classes[label]) for label in listed.labels])
    right = plain.argmax(1) == labels
    assert found.images == 200
    assert found.as_it_is.accuracy == accuracy(int(right.sum()), 200)
    np.testing.assert_array_equal(found.right(), right)
    assert [row.name for row in found.rows][:3] == ["SE_1_1 := 1", "SE_1_1 := mean", "SE_1_1 := shuffled"]
    logs, rows = log_softmax(plain.astype(np.float64), 1), np.arange(200)
    for row, output in zip(found.rows, outputs, strict=True):
        after, logs_after = output.argmax(1) == labels, log_softmax(output.astype(np.float64), 1)
        np.testing.assert_array_equal(found.right(row.name), after, err_msg=row.name)
        assert row.accuracy == accuracy(int(after.sum()), 200)
        assert (row.lost, row.gained) == (int((right & ~after).sum()), int((after & ~right).sum()))
        assert row.change.value == pytest.approx(after.mean() - right.mean())
        uneven = row.lost + row.gained
        assert row.p == pytest.approx(binomtest(row.lost, uneven).pvalue if uneven else 1)
        assert row.answers_changed == int((output.argmax(1) != plain.argmax(1)).sum())
        change = (output - plain)[rows, labels].astype(np.float64)
        assert row.logit.value == pytest.approx(change.mean(), rel=1e-4, abs=1e-6)
        reach = 1.96 * change.std(ddof=1) / np.sqrt(200)
        assert row.logit.high - row.logit.value == pytest.approx(reach, rel=1e-3, abs=1e-6)
        entropy = -(np.exp(logs_after) * logs_after).sum(1)
        assert row.entropy == pytest.approx(entropy.mean(), rel=1e-4)
        before = -(np.exp(logs) * logs).sum(1)
        assert row.entropy_change.value == pytest.approx((entropy - before).mean(), rel=1e-3, abs=1e-6)
        likelihood = (logs_after - logs)[rows, labels]
        assert row.log_likelihood.value == pytest.approx(likelihood.mean(), rel=1e-3, abs=1e-6)
        for label, effect in enumerate(row.by_class):
            own = np.array([CLASSES.index(found.classes[label])]) == labels
            assert effect.correct == int(after[own].sum())
            assert effect.lost == int((right & ~after)[own].sum())
            assert effect.gained == int((after & ~right)[own].sum())
            assert effect.logit == pytest.approx(change[own].mean(), rel=1e-4, abs=1e-6)


@pytest.mark.slow
@pytest.mark.xdist_group("servers")  # where there are forks
def test_killed_after_the_first_shard_it_goes_on_and_ends_with_the_same_bytes(whole, photos, tmp_path):
    out = tmp_path / "out"
    expected = ablate(tiny(classes=CLASSES), photos, tmp_path / "whole", edits=EDITS, **SETTINGS).content()
    forked.kill_once_written(
        out / "shards" / "000000.safetensors", "support.ablations", [str(photos), str(out)], tmp_path
    )
    assert not (out / "ablation.json").exists()
    (out / "shards" / "000001.safetensors.tmp").write_bytes(b"half a shard")
    (out / "shards" / "000002.safetensors").write_bytes(b"a shard that the disk has damaged")
    finished = ablate(tiny(classes=CLASSES), photos, out, edits=EDITS, **SETTINGS)
    assert finished.content() == (out / "ablation.json").read_bytes() == expected
    assert [path.name for path in out.iterdir()] == ["ablation.json"]


@pytest.mark.slow
def test_finished_shards_are_not_read_again(whole, model, photos, tmp_path):
    listed, asked = dataset(photos), []

    def stops(index):
        if len(asked) == 12:
            raise KeyboardInterrupt
        asked.append(index)
        return listed.read(index)

    with pytest.raises(KeyboardInterrupt):
        ablate(model, replace(listed, read=stops), tmp_path, edits=EDITS, **SETTINGS)
    first = set(asked[:8])

    def notes(index):
        asked.append(index)
        return listed.read(index)

    asked.clear()
    found = ablate(model, replace(listed, read=notes), tmp_path, edits=EDITS, **SETTINGS)
    assert not first & set(asked)
    assert len(asked) == 21 - 8
    assert found == whole


def test_a_finished_one_is_left_alone_and_another_is_refused(whole, model, photos, tmp_path):
    found = ablate(model, photos, tmp_path, edits=EDITS, **SETTINGS)
    assert found == whole == open_ablation(tmp_path) == open_ablation(tmp_path / "ablation.json", model)
    before = (tmp_path / "ablation.json").stat().st_mtime_ns
    ablate(model, photos, tmp_path, edits=EDITS, **SETTINGS)
    assert (tmp_path / "ablation.json").stat().st_mtime_ns == before
    for other in ({"edits": [1.0]}, {"edits": [1.0, 0.0, shuffle(1)]}, {"batch": 5}, {"labels": "predictions"}):
        with pytest.raises(OtherPass, match="another ablation"):
            ablate(model, photos, tmp_path, **{"edits": EDITS, **SETTINGS, **other})
    with pytest.raises(ProfilesMismatch, match=r"weights differ"):
        open_ablation(tmp_path, tiny(seed=4, classes=CLASSES))


def test_numbers_of_an_array_tell_ablations_apart(model, photos, tmp_path):
    ablate(model, photos, tmp_path, edits={"SE_2_1": np.full(6, 0.5)}, **SETTINGS)
    with pytest.raises(OtherPass):
        ablate(model, photos, tmp_path, edits={"SE_2_1": np.full(6, 0.25)}, **SETTINGS)


def test_a_broken_image_is_left_out_and_named(whole):
    assert list(whole.refused) == ["green/2.png"]
    assert "damaged" in whole.refused["green/2.png"]
    assert dict(zip(whole.classes, whole.counts, strict=True)) == {"blue": 7, "green": 6, "red": 7}
    assert whole.images == 20 == len(whole.right())


def test_the_table_by_class_adds_up_to_that_of_edits(whole):
    frame = whole.table_by_class()
    assert len(frame) == 3 * len(whole.rows)
    sums = frame.groupby("edit", sort=False)[["images", "right before", "right", "lost", "gained"]].sum()
    edits = whole.table().set_index("edit").loc[sums.index]
    assert (sums["images"] == 20).all()
    assert (sums["right before"] == whole.as_it_is.accuracy.correct).all()
    np.testing.assert_array_equal(sums["right"], [row.accuracy.correct for row in whole.rows])
    np.testing.assert_array_equal(sums[["lost", "gained"]], edits[["lost", "gained"]])


def test_the_progress_is_told_of_every_image(model, photos, tmp_path):
    told = []
    ablate(model, photos, tmp_path, edits=[1.0], report=lambda *done: told.append(done), **SETTINGS)
    assert told[-1] == (21, 21)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_shuffled_takes_s_of_another_image_of_the_batch(model, photos, tmp_path):
    """Of two images that are the same it changes nothing, bit by bit."""
    for name in CLASSES:
        (tmp_path / "two" / name).mkdir(parents=True)
        for index in range(4):
            (tmp_path / "two" / name / f"{index}.png").write_bytes((photos / "red" / "0.png").read_bytes())
    found = ablate(model, tmp_path / "two", tmp_path / "out", edits=[shuffle(), 0.5], batch=4)
    for row in found.rows:
        still = row.value == "shuffled"
        assert (row.logit.value == 0) == still
        assert (row.entropy_change.value == 0) == still


def test_s_of_another_image_is_computed_once_and_kept_as_numbers(model, photos, tmp_path):
    other = decode("other", (photos / "blue" / "3.png").read_bytes())
    found = ablate(model, photos, tmp_path / "a", edits={"SE_1_1": swap(other)}, **SETTINGS)
    numbers = capture(model, other)["SE_1_1"].s[0]
    same = ablate(model, photos, tmp_path / "b", edits={"SE_1_1": numbers.astype(float)}, **SETTINGS)
    assert found.rows[0].name == "SE_1_1 := s of another image"
    assert found.rows[0].logit == same.rows[0].logit
    assert found.rows[0].sha256 == same.rows[0].sha256


def test_without_labels_answers_are_compared_with_the_networks_own(model, photos, tmp_path):
    (tmp_path / "flat").mkdir()
    for path in photos.rglob("*.png"):
        (tmp_path / "flat" / f"{path.parent.name} {path.name}").write_bytes(path.read_bytes())
    with pytest.raises(ProfilesError, match=r"has no labels: .* \(labels='predictions', --labels predictions"):
        ablate(model, tmp_path / "flat", tmp_path / "out", edits=[0.0], **SETTINGS)
    assert not (tmp_path / "out").exists()
    found = ablate(model, tmp_path / "flat", tmp_path / "out", edits=[0.0], labels="predictions", **SETTINGS)
    assert found.as_it_is.accuracy.top1 == 1
    assert found.classes == CLASSES
    for row in found.rows:
        assert row.gained == 0
        assert row.lost == row.answers_changed == 20 - row.accuracy.correct


def test_labels_of_a_list_may_be_numbers_of_classes(whole, model, photos, tmp_path):
    with (tmp_path / "list.csv").open("w", newline="") as file:
        rows = [(str(path), CLASSES.index(path.parent.name)) for path in sorted(photos.rglob("*.png"))]
        csv.writer(file).writerows([("path", "label"), *rows])
    found = ablate(model, tmp_path / "list.csv", tmp_path / "out", edits=EDITS, **SETTINGS)
    assert found.classes == ("0", "1", "2")
    assert found.as_it_is.accuracy == whole.as_it_is.accuracy


def test_classes_that_the_network_does_not_have_are_refused(model, tmp_path):
    photos = make_images(tmp_path / "photos", ("red", "green", "violet"))
    with pytest.raises(ProfilesError, match=r"no class 'violet'; its 3 classes are 'red', 'green', 'blue'"):
        ablate(model, photos, tmp_path / "out", edits=[1.0])


def test_a_network_whose_classes_have_no_names_takes_those_of_the_data_in_their_order(photos, tmp_path):
    found = ablate(tiny(seed=3, classes=()), photos, tmp_path / "out", edits=[1.0], **SETTINGS)
    named = ablate(tiny(seed=3, classes=("blue", "green", "red")), photos, tmp_path / "named", edits=[1.0], **SETTINGS)
    assert "3 classes of the data, in their order" in found.notes[0]
    assert found.as_it_is == named.as_it_is
    assert found.rows == named.rows


class Yes(nn.Module):
    """One logit of yes, of the small network's first less its second."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[:, :1] - self.inner(x)[:, 1:2]


def test_a_binary_head_counts_by_its_threshold(photos, tmp_path):
    network = Yes(tiny(seed=3).network).eval()
    kind = partial(Model, "test/yes", network, Preprocess(crop=(16, 16), resize=16))
    folder = make_images(tmp_path / "photos", ("no", "yes"), count=6)
    with pytest.raises(ProfilesError, match=r"not of number\. If the one output is .*, say head='binary'"):
        ablate(kind(), folder, tmp_path / "out", edits=[1.0], **SETTINGS)
    model = kind(("no", "yes"), head=Head("binary", 0.7))
    found = ablate(model, folder, tmp_path / "out", edits=[1.0], **SETTINGS)
    listed = dataset(folder)
    x = capture(model, [listed.read(index)[0] for index in range(12)]).logits[:, 0]
    yes = 1 / (1 + np.exp(-x)) >= 0.7
    np.testing.assert_array_equal(found.right(), yes == listed.labels)
    assert found.as_it_is.logit == pytest.approx(np.where(listed.labels == 1, x, -x).mean(), rel=1e-4)
    likelihood = -np.log1p(np.exp(np.where(listed.labels == 1, -x, x)))
    assert found.as_it_is.log_likelihood == pytest.approx(likelihood.mean(), rel=1e-4)


def test_outputs_that_overflow_count_as_wrong_and_not_for_means(model, photos, tmp_path):
    found = ablate(model, photos, tmp_path, edits={"SE_2_1": [3e38, 1.0]}, **SETTINGS)
    row = found.rows[0]
    assert row.not_finite == 20
    assert row.accuracy.correct == 0
    assert row.logit is row.entropy is row.by_class[0].logit is None
    assert open_ablation(tmp_path) == found
    assert found.table()["not finite"].tolist()[1:] == [20, 0]


def test_a_network_that_gives_nothing_finite_says_so(photos, tmp_path):
    model = tiny(classes=CLASSES)
    with torch.no_grad():
        model.network.head.bias.fill_(float("nan"))
    with pytest.raises(ProfilesError, match=r"not finite .* for every image: the weights are broken"):
        ablate(model, photos, tmp_path, edits=[1.0], batch=4, shard=32)


@pytest.mark.parametrize(
    ("edits", "error", "said"),
    [
        ({"SE_9_9": 1.0}, KeyError, "There is no gate 'SE_9_9': choose one of SE_1_1, SE_2_1"),
        ({"stage 9": 1.0}, KeyError, "There is no gate 'stage 9'"),
        ({"a": {"SE_9_9": 1.0}}, KeyError, "There is no gate 'SE_9_9'"),
        ({"SE_1_1": {99: 0.0}}, KeyError, "SE_1_1 has no channel 99: its channels are 0 to 7"),
        ({"SE_1_1": np.zeros(7)}, ValueError, "SE_1_1 has 8 channels"),
        ({"SE_1_1": np.zeros((2, 8))}, ValueError, "the same for every image"),
        ({"SE_1_1": torch.zeros(20, 8)}, ValueError, "the same for every image"),
        ({"SE_1_1": float("nan")}, ValueError, "NaN or an infinite"),
        ({"SE_1_1": "median"}, ValueError, "not to 'median'"),
        ({"SE_1_1": "mean"}, NoMean, "The mean of s is unknown"),
        (["mean"], NoMean, "this network has no class profiles"),
        ({"SE_1_1": object()}, TypeError, "not to object"),
        ({}, ValueError, "There is no edit"),
        ([], ValueError, "There is no edit"),
        ({"SE_1_1": [1.0, 1]}, ValueError, "SE_1_1 := 1 is there twice"),
        ("mean", TypeError, "edits are values for each gate"),
        (1.0, TypeError, "edits are values for each gate"),
        ({3: 1.0}, KeyError, "The name of an edit is a text"),
    ],
)
def test_invalid_edits_are_refused_before_anything_is_read(edits, error, said, model, photos, tmp_path):
    with pytest.raises(error) as raised:
        ablate(model, photos, tmp_path / "out", edits=edits)
    assert said in raised.value.args[0]
    assert not list(tmp_path.iterdir())


def test_without_class_profiles_the_mean_is_left_out_and_said(model, photos, tmp_path):
    found = ablate(model, photos, tmp_path, **SETTINGS)
    assert [row.name for row in found.rows][:3] == ["SE_1_1 := 1", "SE_1_1 := shuffled", "SE_2_1 := 1"]
    assert [len(found.by(scope)) for scope in ("gate", "stage", "all", "other")] == [4, 4, 2, 0]
    assert found.notes[-1].startswith("No gate was set to its mean. The mean of s is unknown")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch": 1}, "batch must be 2 or more where s is shuffled"),
        ({"batch": 8, "shard": 4}, "shard a batch or more"),
        ({"engine": "spark"}, "engine must be 'local', 'ray', or se_viz.RayEngine"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, said, model, photos, tmp_path):
    with pytest.raises(ProfilesError, match=said):
        ablate(model, photos, tmp_path / "out", edits=[shuffle()], **options)
    with pytest.raises(ValueError, match=r"labels must be given or predictions, not 'x'\."):
        ablate(model, photos, tmp_path / "out", labels="x")
    assert not list(tmp_path.iterdir())


def test_a_single_image_of_a_shard_gets_no_s_of_another(model, tmp_path):
    photos = make_images(tmp_path / "photos", CLASSES, count=3)
    found = ablate(model, photos, tmp_path / "out", edits=[shuffle()], batch=2, shard=2)
    assert found.images == 8
    assert "no other image of its shard" in next(iter(found.refused.values()))
    every = ablate(model, photos, tmp_path / "every", edits=[shuffle()], batch=2, shard=3)
    assert every.images == 9  # three images in one batch, rather than one alone


def test_one_image_is_nothing_to_compare(model, tmp_path):
    photos = make_images(tmp_path / "photos", ("red",), count=1)
    with pytest.raises(ProfilesError, match="an ablation compares two or more"):
        ablate(model, photos, tmp_path / "out", edits=[1.0])


def test_damage_is_found(whole, model, photos, tmp_path):
    path = tmp_path / "ablation.json"
    whole.write(path)
    text = path.read_text()
    for damaged in (
        "",
        "{}",
        text[: len(text) // 2],
        text.replace('"se-viz-ablation"', '"atlas"'),
        json.dumps(json.loads(text) | {"counts": [1, 2, 3]}),
        json.dumps(json.loads(text) | {"classes": ["red"]}),
        json.dumps(json.loads(text) | {"as_it_is": json.loads(text)["as_it_is"] | {"right": "%%%%"}}),
    ):
        path.write_text(damaged)
        with pytest.raises(AblationRefused, match=r"ablation.json .*damaged"):
            open_ablation(path)
    path.write_text(json.dumps(json.loads(text) | {"version": 2}))
    with pytest.raises(AblationRefused, match="newer SE Viz"):
        open_ablation(path)
    with pytest.raises(AblationRefused, match=r"There is no ablation at .*: make one with `se-viz ablate`"):
        open_ablation(tmp_path / "nothing.json")
    with pytest.raises(KeyError, match=r"There is no edit 'x': choose one of SE_1_1 := 1"):
        whole["x"]


def test_a_disk_that_fills_up_says_what_is_kept(model, photos, tmp_path):
    out = tmp_path / "out"
    with full_disk(out, 9000), pytest.raises(WriteFailed, match="is full"):
        ablate(model, photos, out, edits=EDITS, **SETTINGS)
    assert ablate(model, photos, out, edits=EDITS, **SETTINGS).images == 20


def test_outputs_that_are_no_logits_are_told(photos, tmp_path):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = tiny().network

        def forward(self, x):
            return {"logits": self.body(x)}

    model = Model("test/pair", Pair().eval(), Preprocess(crop=(16, 16), resize=16))
    with pytest.raises((ProfilesError, NotReadable), match="not a single table of logits"):
        ablate(model, photos, tmp_path, edits=[1.0])


def test_the_public_names_are_these():
    assert se_viz.ablate is ablate
    assert se_viz.open_ablation is open_ablation


def names(model, edits):
    """Names of the edits of an ablation that is planned, and not made."""
    none = Sources(0, None, None, None)
    return [plan.info.name for plan in plan_edits(edits, model.gates, trial_sources(model.gates, none))[0]]


def test_numbers_of_all_kinds_have_names_that_stay(model, photos, tmp_path):
    halves = [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), torch.tensor(0.5), torch.tensor(0.5).bfloat16()]
    for half in halves:
        assert names(model, {"SE_1_1": [half]}) == ["SE_1_1 := 0.5"]
        assert names(model, {"SE_1_1": {0: half}}) == ["SE_1_1: channel 0 := 0.5"]
    first, other = np.full(8, 0.5), np.full(8, 0.25)
    two = names(model, {"SE_1_1": [first, torch.tensor(other)]})
    assert two == names(model, {"SE_1_1": [torch.full((8,), 0.5), other]})
    assert all(name.startswith("SE_1_1 := 8 numbers (") for name in two)
    assert two[0] != two[1]
    made = [ablate(model, photos, tmp_path, edits={"SE_1_1": torch.full((8,), 0.5)}, **SETTINGS) for _ in range(2)]
    assert made[0].content() == made[1].content()


def test_values_of_a_generator_edit_each_gate(model):
    assert names(model, (value for value in (1.0, 0.0))) == names(model, [1.0, 0.0])
