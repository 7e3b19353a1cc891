"""Texts for proofs: several scripts, emoji, control characters, empty and very long texts."""

# Sent to every built server; each answer is compared with the reference model's.
GOLDEN_TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "I would like my money back, please.",
    "помогите мне",
    "슈퍼 엔저 장기화에 한국 수출에 비상등",
    "今日はとても良い天気ですね。",
    "这家餐厅的服务非常好",
    "مرحبا بالعالم",
    "שלום עולם",
    "नमस्ते दुनिया",
    "Ça coûte 12,50 € à l'épicerie de Saint-Étienne",
    "great!!! 😀👍🏽 👨‍👩‍👧‍👦",
    "e\u0301 versus \u00e9, \ufb01ligature, \u2126hm",
    "a",
    "",
    "   ",
    "tab\tnewline\nreturn\r\nend",
    "{{ jinja }} ${shell} \"quoted\" 'single' \\backslash",
    "https://example.org/a?b=c&d=%20 user@example.org",
    "3.14159 -42 1e10 0x7f",
    "word " * 700,
)

# Each text paired with another: of the same or another language, with empty and too long texts on either side.
GOLDEN_PAIRS = tuple(zip(GOLDEN_TEXTS, (*GOLDEN_TEXTS[-3:], *GOLDEN_TEXTS[:-3]), strict=True))

# Tokenized only, and compared with AutoTokenizer; they include the golden texts.
TOKENIZER_TEXTS = (
    *GOLDEN_TEXTS,
    "[CLS] [SEP] [MASK] [PAD] <s> </s> <unk> <|endoftext|>",
    "\u0000NUL \u0007bell \u200bzero width \ufeffbom",
    "\u202eright to left override",
    "ﷺ ﷽ 𝕬𝖇𝖈 𐍈 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "ภาษาไทยไม่มีช่องว่าง",
    "Tiếng Việt có dấu",
    "Ελληνικά ΚΑΙ κεφαλαία Σ σ ς",
    "İstanbul ıspanak",
    "ქართული ენა",
    "አማርኛ",
    "straße STRASSE ẞ",
    "don't can't won't it's",
    "CamelCase snake_case kebab-case",
    "a" * 3000,
    # Longer than the prefix that the served code tokenizes first: that limit must change no token.
    "The price is 12,50 €, non-negotiable;  \nа потом 今日は! " * 800,
    "word" + " " * 20_000 + "word " * 4_000,
    "漢" * 1500,
    "😀" * 600,
    " leading and trailing ",
    "multiple     spaces\u00a0and\u3000wide",
    "ＦＵＬＬ　ＷＩＤＴＨ",
    "x²+y³=z⁴ ½ Ⅷ ㎏",
)
