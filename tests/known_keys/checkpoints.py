"""Files like those of public checkpoints, with keys of old versions and training code."""

CONFIGS = {
    "distilbert fine-tuned on SST-2": {
        "model_type": "distilbert", "activation": "gelu", "attention_dropout": 0.1, "dim": 768, "dropout": 0.1,
        "finetuning_task": "sst-2", "hidden_dim": 3072, "initializer_range": 0.02, "output_past": True,
        "qa_dropout": 0.1, "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False, "tie_weights_": True,
    },
    "bart fine-tuned on MNLI": {
        "model_type": "bart", "_num_labels": 3, "activation_dropout": 0.0, "add_bias_logits": False,
        "add_final_layer_norm": False, "classif_dropout": 0.0, "decoder_layerdrop": 0.0, "extra_pos_embeddings": 2,
        "force_bos_token_to_be_generated": False, "forced_eos_token_id": 2, "gradient_checkpointing": False,
        "init_std": 0.02, "normalize_before": False, "normalize_embedding": True, "num_hidden_layers": 12,
        "scale_embedding": False, "static_position_embeddings": False, "transformers_version": "4.7.0.dev0",
    },
    "mbart": {"model_type": "mbart", "add_final_layer_norm": True, "normalize_before": True, "output_past": True},
    "deberta-v3": {
        "model_type": "deberta-v2", "attention_head_size": 64, "conv_act": "gelu", "conv_kernel_size": 3,
        "legacy": True, "max_relative_positions": -1, "norm_rel_ebd": "layer_norm", "padding_idx": 0,
        "pooler_dropout": 0, "pooler_hidden_act": "gelu", "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False, "position_buckets": 256, "relative_attention": True, "share_att_key": True,
    },
    "albert": {
        "model_type": "albert", "down_scale_factor": 1, "gap_size": 0, "inner_group_num": 1, "layers_to_keep": [],
        "net_structure_type": 0, "num_hidden_groups": 1, "num_memory_blocks": 0,
    },
    "bloom": {
        "model_type": "bloom", "attention_softmax_in_fp32": True, "bias_dropout_fusion": True,
        "masked_softmax_fusion": True, "n_embed": 1024, "n_inner": None, "offset_alibi": 100, "seq_length": 2048,
        "skip_bias_add": True, "skip_bias_add_qkv": False, "slow_but_exact": False, "unk_token_id": 0,
    },
    "gpt2": {
        "model_type": "gpt2", "attn_pdrop": 0.1, "n_ctx": 1024, "summary_activation": None,
        "summary_first_dropout": 0.1, "summary_proj_to_logits": True, "summary_type": "cls_index",
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    },
    "gptj": {"model_type": "gptj", "rotary": True, "rotary_dim": 64, "scale_attn_weights": True, "n_inner": None},
    "gpt_neo": {
        "model_type": "gpt_neo", "attention_layers": ["global", "local"], "embed_dropout": 0, "resid_dropout": 0,
        "attention_types": [[["global", "local"], 6]], "window_size": 256,
    },
    "modernbert": {
        "model_type": "modernbert", "classifier_pooling": "mean", "deterministic_flash_attn": False,
        "global_attn_every_n_layers": 3, "gradient_checkpointing": False, "initializer_cutoff_factor": 2.0,
        "layer_norm_eps": 1e-05, "local_attention": 128, "position_embedding_type": "absolute",
        "reference_compile": False, "sparse_pred_ignore_index": -100, "transformers_version": "4.47.0.dev0",
    },
    "qwen2": {"model_type": "qwen2", "max_window_layers": 24, "sliding_window": 32768, "use_mrope": False},
    "llama 3": {
        "model_type": "llama", "pretraining_tp": 1, "unsloth_fixed": True,
        "rope_scaling": {
            "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        },
    },
    "opt": {
        "model_type": "opt", "_remove_final_layer_norm": False, "do_layer_norm_before": True, "init_std": 0.02,
        "layerdrop": 0.0, "prefix": "</s>", "word_embed_proj_dim": 768,
    },
    "bert of 2018": {
        "model_type": "bert", "directionality": "bidi", "eos_token_ids": 0, "pooler_fc_size": 768,
        "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3, "pooler_size_per_head": 128,
        "pooler_type": "first_token_transform",
    },
    "a cross-encoder": {
        "model_type": "bert", "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
    },
    "a cross-encoder of 5": {
        "model_type": "bert",
        "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "5.0.0"},
    },
    "mpt": {
        "model_type": "mpt", "attn_config": {"alibi": True, "attn_impl": "torch", "attn_uses_sequence_id": False},
        "init_config": {"init_gain": 0, "init_std": 0.02, "name": "kaiming_normal_", "verbose": 0},
        "init_device": "cpu", "logit_scale": None, "tokenizer_name": "EleutherAI/gpt-neox-20b",
    },
    "phi3": {
        "model_type": "phi3", "original_max_position_embeddings": 4096, "embd_pdrop": 0.0,
        "rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]},
    },
    "gemma2": {"model_type": "gemma2", "cache_implementation": "hybrid", "sliding_window_size": 4096},
    "squeezebert": {"model_type": "squeezebert", "have_fast_tokenizers": True, "k_groups": 4},
    "smollm3": {"model_type": "smollm3", "max_window_layers": 28, "no_rope_layer_interval": 4, "pretraining_tp": 2},
    "of a training service": {"model_type": "bert", "_num_labels": 2, "max_length": 64, "padding": "max_length"},
}  # fmt: skip
TOKENIZERS = {
    "bert of sentence-transformers": {
        "tokenizer_class": "BertTokenizer", "do_basic_tokenize": True, "do_lower_case": True, "max_length": 128,
        "never_split": None, "pad_to_multiple_of": None, "pad_token_type_id": 0, "padding_side": "right", "stride": 0,
        "strip_accents": None, "tokenize_chinese_chars": True, "truncation_side": "right",
        "truncation_strategy": "longest_first",
    },
    "qwen2": {
        "tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "add_prefix_space": False,
        "added_tokens_decoder": {}, "additional_special_tokens": [], "bos_token": None, "chat_template": "x",
        "errors": "replace", "split_special_tokens": False,
    },
    "llama": {
        "tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": False, "sp_model_kwargs": {},
        "spaces_between_special_tokens": False, "use_default_system_prompt": False,
    },
    "deberta-v3": {"tokenizer_class": "DebertaV2Tokenizer", "split_by_punct": False, "vocab_type": "spm"},
    "of no class": {"full_tokenizer_file": None, "init_inputs": [], "max_len": 512, "special_tokens_map_file": "/x"},
    "mbart": {"tokenizer_class": "MBart50Tokenizer", "language_codes": "ML50", "src_lang": "en_XX", "tgt_lang": None},
    "saved by transformers 5": {
        "tokenizer_class": "TokenizersBackend", "backend": "tokenizers", "errors": "replace", "is_local": True,
        "local_files_only": False, "trim_offsets": True, "unk_id": 3,
    },
}  # fmt: skip
