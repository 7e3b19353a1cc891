"""A setting accepted with --accept-unknown is listed in warnings, the plan and the image."""

import json

from utils import make_triton_image as main
from utils.factory.base_images import docker_plan
from utils.factory.image_labels import oci_labels
from utils.options.build_spec import parse_arguments
from utils.sources.fetch import fetch_metadata

ACCEPT = ("--accept-unknown", "logit_temperature", "--accept-unknown", "model.stemming")


def plant(damaged):
    damaged.edit("config.json", logit_temperature=2.0)
    content = json.loads(damaged.file("tokenizer.json").read_text())
    content["model"]["stemming"] = True
    damaged.file("tokenizer.json").write_text(json.dumps(content))


def test_each_file_is_refused(damaged, refused):
    plant(damaged)
    refused(damaged.argv(), 3, ["logit_temperature = 2.0", "config.json"])
    refused(damaged.argv(*ACCEPT[:2]), 3, ["model.stemming = True", "TOKENIZER's tokenizer.json"])


def test_the_plan_and_the_image_list_accepted_settings(damaged, tmp_path, capfd):
    plant(damaged)
    argv = [*map(str, damaged.argv(*ACCEPT, "--no-image"))]
    plan = json.loads(main.make_triton_image([*argv, "--dry-run", "--json"]))
    assert plan["model"]["unread"] == ["logit_temperature", "model.stemming"]
    assert "--accept-unknown: logit_temperature = 2.0" in capfd.readouterr().err
    spec = parse_arguments(argv)
    labels = oci_labels(spec, fetch_metadata(spec.source.sources, tmp_path / "work"), docker_plan(spec.target, None))
    assert labels["triton-image-factory.unread"] == "logit_temperature model.stemming"


def test_accepting_a_missing_setting_is_reported_and_has_no_effect(damaged, tmp_path, capfd):
    spec = parse_arguments([*map(str, damaged.argv(*ACCEPT, "--no-image"))])
    metadata = fetch_metadata(spec.source.sources, tmp_path / "work")
    assert metadata.accepted == () and "unread" not in metadata.facts["model"]
    assert "triton-image-factory.unread" not in oci_labels(spec, metadata, docker_plan(spec.target, None))
    warnings = capfd.readouterr().err
    assert all(f"warning: --accept-unknown {name} has no effect" in warnings for name in ACCEPT[1::2])


def test_accepting_a_harmless_setting_is_reported(damaged, tmp_path, capfd):
    damaged.edit("config.json", _favourite_colour="blue", logit_temperature=2.0)
    spec = parse_arguments([*map(str, damaged.argv(*ACCEPT[:2], "--accept-unknown", "_favourite_colour"))])
    assert fetch_metadata(spec.source.sources, tmp_path / "work").accepted == ("logit_temperature",)
    warnings = capfd.readouterr().err
    assert "--accept-unknown _favourite_colour has no effect" in warnings
    assert "--accept-unknown logit_temperature has no effect" not in warnings
