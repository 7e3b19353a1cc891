"""The small files of a valid classifier and its tokenizer, which are mutated."""

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "money", "back", "one", "text", "##s"]
VOCABULARY = "\n".join(WORDS) + "\n"
SHAPES = {"bert.embeddings.word_embeddings.weight": (16, 4), "classifier.weight": (3, 4), "classifier.bias": (3,)}
LABELS = {"0": "negative", "1": "neutral", "2": "positive"}
CONFIG = {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "hidden_size": 32,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "problem_type": "single_label_classification",
    "id2label": LABELS,
    "label2id": {label: int(index) for index, label in LABELS.items()},
    "vocab_size": 16,
    "num_labels": 3,
}
SPECIAL = [
    {"id": index, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
     "special": True}
    for index, word in enumerate(WORDS[:4])
]  # fmt: skip
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": SPECIAL,
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                   "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100, "vocab": {word: index for index, word in enumerate(WORDS)}},
}  # fmt: skip
TOKENIZER_CONFIG = {
    "tokenizer_class": "BertTokenizerFast",
    "model_max_length": 128,
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "do_lower_case": True,
    "added_tokens_decoder": {
        str(each["id"]): {name: value for name, value in each.items() if name != "id"} for each in SPECIAL
    },
}
SPECIAL_TOKENS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
VOCAB_JSON = {word: index for index, word in enumerate(WORDS)}
INDEX = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(SHAPES, "model.safetensors")}
JSON_FILES = {
    "config.json": CONFIG,
    "tokenizer.json": TOKENIZER,
    "tokenizer_config.json": TOKENIZER_CONFIG,
    "special_tokens_map.json": SPECIAL_TOKENS,
}
