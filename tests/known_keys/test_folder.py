"""An added setting in each file: refused by name if it can change answers, else accepted."""

import json

import pytest

from tests.small_files import TOKENIZER
from utils.host.errors import SourceError
from utils.sources.known_keys.folder import unread_in_adapter, unread_in_labels, unread_in_model, unread_in_tokenizer
from utils.sources.known_keys.judge import require_understood

BERT = {"model_type": "bert", "transformers_version": "4.57.6", "hidden_size": 32}
MODULES = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
OWN, POOLING = "config_sentence_transformers.json", "1_Pooling/config.json"
SPECIAL, TOKENIZER_CONFIG = "special_tokens_map.json", "tokenizer_config.json"
SOUND = {
    "config.json": BERT,
    "modules.json": MODULES,
    "sentence_bert_config.json": {"max_seq_length": 128, "do_lower_case": False},
    OWN: {"__version__": {"sentence_transformers": "3.0.0"}, "prompts": {}, "default_prompt_name": None},
    POOLING: {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
    TOKENIZER_CONFIG: {"tokenizer_class": "BertTokenizer", "do_lower_case": True},
    SPECIAL: {"pad_token": "[PAD]"},
    "tokenizer.json": TOKENIZER,
    "id2label.json": {"id2label": {"0": "a", "1": "b"}},
    "adapter_config.json": {
        "peft_type": "LORA",
        "base_model_name_or_path": "a/b",
        "r": 8,
        "rank_pattern": {"query": 4},
    },
}
# A file, the added setting, and its name in the refusal.
CHANGING = [
    ("config.json", {"logit_temperature": 2.0}, "logit_temperature"),
    ("config.json", {"early_exit_depth": 1}, "early_exit_depth"),
    ("config.json", {"adapters": {"adapters": {"a": "houlsby"}}}, "adapters"),
    ("config.json", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "rope_scaling"),
    ("config.json", {"sentence_transformers": {"activation_fn": "x", "margin": 1}}, "sentence_transformers.margin"),
    ("config.json", {"transformers_version": "99.0.0", "note": "a text"}, "note"),
    ("config.json", {"transformers_version": "99.0.0", "n_inner": 8}, "n_inner"),
    ("config.json", {"model_type": "qwen2", "is_causal": False}, "is_causal"),
    ("config.json", {"model_type": "bart", "normalize_before": True}, "normalize_before"),
    ("config.json", {"model_type": "gemma3", "text_config": {"layer_limit": 2}}, "text_config.layer_limit"),
    ("config.json", {"model_type": "llama", "rope_scaling": {"factor": 2.0, "ramp": 1}}, "rope_scaling.ramp"),
    (TOKENIZER_CONFIG, {"stemming_level": 2}, "stemming_level"),
    (TOKENIZER_CONFIG, {"scale_of_spaces": "x"}, "scale_of_spaces"),
    ("tokenizer.json", {"stop_words": ["a"]}, "stop_words"),
    ("tokenizer.json", {"model": {**TOKENIZER["model"], "stemming": False}}, "model.stemming"),
    ("tokenizer.json", {"normalizer": {"type": "Lowercase", "locale": "tr"}}, "normalizer.locale"),
    (
        "tokenizer.json",
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Whitespace", "limit": 4}]}},
        "pre_tokenizer.limit",
    ),
    (SPECIAL, {"speaker_token": "<s1>"}, "speaker_token"),
    ("modules.json", [{**MODULES[0], "scale": 2}], "scale"),
    ("modules.json", [{**MODULES[0], "type": "my_code.Transformer"}], "type"),
    ("sentence_bert_config.json", {"transformer_task": "text-generation"}, "transformer_task"),
    ("sentence_bert_config.json", {"processing_kwargs": {"text": {"max_length": 8}}}, "processing_kwargs"),
    (OWN, {"whitening": "pca"}, "whitening"),
    (OWN, {"model_type": "MultiVectorEncoder"}, "model_type"),
    (POOLING, {"pooling_layer": -2}, "pooling_layer"),
    ("2_Normalize/config.json", {"module_input_name": "token_embeddings"}, "module_input_name"),
    ("2_Dense/config.json", {"module_output_name": "projected"}, "module_output_name"),
    ("2_Dense/config.json", {"quantize": True}, "quantize"),
    ("3_LayerNorm/config.json", {"eps": 1e-12}, "eps"),
    ("adapter_config.json", {"layer_replication": [[0, 2], [1, 2]]}, "layer_replication"),
    ("adapter_config.json", {"use_qalora": True}, "use_qalora"),
    ("adapter_config.json", {"alora_invocation_tokens": [1]}, "alora_invocation_tokens"),
    ("adapter_config.json", {"of_a_newer_peft": False}, "of_a_newer_peft"),
    ("id2label.json", {"thresholds": [0.2, 0.9]}, "thresholds"),
]
HARMLESS = [
    ("config.json", {"my_note": "hello", "seed": 42, "num_train_epochs": 3, "pooler_fc_size": 768, "n_ctx": 512}),
    ("config.json", {"classifier_dropout": None, "gradient_checkpointing": True, "directionality": "bidi"}),
    ("config.json", {"use_mrope": False, "logit_scale": None}),
    ("config.json", {"model_type": "mbart", "normalize_before": True}),
    ("config.json", {"model_type": "deberta-v2", "relative_attention": True, "pooler_hidden_act": "gelu"}),
    ("config.json", {"transformers_version": "99.0.0", "seed": 42, "n_inner": None}),
    (TOKENIZER_CONFIG, {"max_length": 128, "stride": 0, "truncation_strategy": "longest_first"}),
    (TOKENIZER_CONFIG, {"add_bos_token": False, "name_or_path": "x"}),
    ("tokenizer.json", {"normalizer": {"type": "Lowercase"}, "truncation": None}),
    ("modules.json", [{**MODULES[0], "kwargs": ["task"]}]),
    ("modules.json", [{**MODULES[0], "type": "sentence_transformers.base.modules.transformer.Transformer"}]),
    (OWN, {"similarity_fn_name": "dot", "prompts": {"query": "query: "}, "model_type": "SentenceTransformer"}),
    (POOLING, {"include_prompt": False, "pooling_mode": "mean"}),
    ("1_SpladePooling/config.json", {"pooling_strategy": "sum", "embedding_dimension": None, "chunk_size": 64}),
    ("2_Normalize/config.json", {"module_input_name": "sentence_embedding"}),
    ("config_setfit.json", {"labels": ["a", "b"], "normalize_embeddings": True}),
    ("generation_config.json", {"temperature": 0.1, "anything": 3}),
    ("preprocessor_config.json", {"size": 224, "do_rescale": True}),
    ("adapter_config.json", {"use_dora": True, "r": 4, "use_qalora": False, "peft_version": "0.99"}),
    ("id2label.json", {"id2label": ["a", "b"], "label2id": {"a": 0}, "source": "a text"}),
]


def doubts(folder, planted=None):
    """Of a sound folder with the keys `planted` in a file: {file: content}."""
    files = {**SOUND}
    for name, content in (planted or {}).items():
        files[name] = content if isinstance(content, list) else {**files.get(name, {}), **content}
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return [
        *unread_in_model(folder, sentences=True),
        *unread_in_tokenizer(folder, files["tokenizer.json"]),
        *unread_in_adapter(folder, "MODEL", files["adapter_config.json"]),
        *unread_in_labels(folder / "id2label.json", files["id2label.json"]),
    ]


def test_a_valid_folder_has_no_unread_settings(tmp_path):
    assert doubts(tmp_path) == []


@pytest.mark.parametrize(("file", "planted", "name"), CHANGING, ids=[name for _, _, name in CHANGING])
def test_settings_that_may_change_answers_are_refused_unless_accepted(file, planted, name, tmp_path, capsys):
    found = doubts(tmp_path, {file: planted})
    with pytest.raises(SourceError) as refusal:
        require_understood(found, ())
    assert f"{name} = " in str(refusal.value) and f"'s {file} (" in str(refusal.value)
    assert f"--accept-unknown {name}" in str(refusal.value)
    assert require_understood(found, (name, "another")) == (name,)
    assert f"--accept-unknown: {name} = " in (capsys.readouterr().err)


@pytest.mark.parametrize(("file", "planted"), HARMLESS)
def test_harmless_settings_pass(file, planted, tmp_path):
    assert require_understood(doubts(tmp_path, {file: planted}), ()) == ()


def test_an_unread_text_is_a_warning(tmp_path, capsys):
    require_understood(doubts(tmp_path, {"config.json": {"my_note": "hello", "n_inner": 8}}), ())
    expected = capsys.readouterr().err
    assert "my_note = 'hello' in MODEL's config.json" in expected and "n_inner = 8" in expected


def test_sentence_transformers_files_count_only_for_their_tasks(tmp_path):
    doubts(tmp_path, {OWN: {"whitening": "pca"}})
    assert list(unread_in_model(tmp_path, sentences=False)) == []
    assert len(list(unread_in_model(tmp_path, sentences=True))) == 1


def test_the_old_layout_of_a_sentence_model_is_checked(tmp_path):
    doubts(tmp_path, {OWN: {"whitening": "pca"}})
    inner = tmp_path / "0_Transformer"
    inner.mkdir()
    (inner / "sentence_bert_config.json").write_text('{"stemming": 1}')
    named = [doubt.setting.file for doubt in unread_in_model(inner, sentences=True)]
    assert named == ["MODEL's ../config_sentence_transformers.json", "MODEL's sentence_bert_config.json"]
