"""Imported by the process that tests/warm_builds.py forks: what a conversion by optimum imports."""

import onnxruntime  # noqa: F401
import optimum.exporters.onnx.model_configs
import torch.onnx  # noqa: F401
import transformers

from utils.convert import exporter

exporter.prepare()

import optimum.exporters.onnx.convert  # noqa: E402, F401
import transformers.models.auto.modeling_auto  # noqa: E402
import transformers.models.bert.modeling_bert  # noqa: E402
import transformers.pipelines  # noqa: E402, F401

import utils.factory.many  # noqa: E402
import utils.factory.prove_and_publish  # noqa: E402, F401
