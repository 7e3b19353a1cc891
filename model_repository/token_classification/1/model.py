"""Step: the logits of tokens and their texts to the entities in each text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from metric_families import label_family, score_family
from model_metrics import ModelMetrics, is_counted
from scoring import softmax
from step_responses import InvalidInputError, InvalidResultError, read_settings, respond, tensors, timed, version_folder
from token_entities import Token, entities, entity_labels, read_tokens
from tokenization import decode_rows, load_tokenizer, locate


class TritonPythonModel:
    """Token classification: FP32 [B, tokens, C] and BYTES [B, 1] -> BYTES [B, 1], each a JSON array of entities."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the labels and the frozen tokenizer, which gives each token's place in its text."""
        folder, self.settings = version_folder(args), read_settings(args)
        self.tokenizer = load_tokenizer(folder / "tokenizer.json", self.settings["tokenization"])
        self.unk_id = self.settings["tokenization"]["unk_id"]
        decoder = self.tokenizer.decoder
        self.join = decoder.decode if decoder else " ".join
        id2label = json.loads((folder / "id2label.json").read_text(encoding="utf-8"))
        self.labels = [id2label[str(index)] for index in range(len(id2label))]
        self.inputs = list(tensors(args, "input"))
        (self.entities,) = tensors(args, "output")
        named = entity_labels(self.labels, self.settings["aggregation"])
        self.metrics = ModelMetrics(args, {**label_family(named), **score_family()})

    def finalize(self) -> None:
        """Ends the publication of metrics."""
        self.metrics.close()

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request separately."""
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        logits, texts = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs)
        try:
            decoded = decode_rows(texts, self.inputs[1])
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
        found = [self._entities(*row) for row in zip(decoded, logits, strict=True)]
        if is_counted(request):
            self._count([entity for row in found for entity in row])
        rows = [json.dumps(row, ensure_ascii=False, default=float).encode("utf-8") for row in found]
        return {self.entities: np.array(rows, dtype=object).reshape(-1, 1)}

    def _count(self, found: Sequence[Token]) -> None:
        key = "entity" if self.settings["aggregation"] == "none" else "entity_group"
        self.metrics.count(
            labels=[entity[key].encode("utf-8") for entity in found],
            scores=[float(entity["score"]) for entity in found],
        )

    def _entities(self, text: str, logits: np.ndarray) -> list[Token]:
        """The entities of one text. logits: FP32 [tokens, C]; those of the padding are ignored."""
        tokens = read_tokens(self.tokenizer, text, self.unk_id, *locate(self.tokenizer, text))
        logits = logits[: len(tokens)].astype(np.float32)
        if not np.isfinite(logits).all():
            raise InvalidResultError("the model's logits are not finite for this input: there are no entities")
        return entities(tokens, softmax(logits), self.labels, self.settings["aggregation"], self.join)
