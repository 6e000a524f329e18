#!/usr/bin/env python3
"""Makes tiny-bert: a complete Hugging Face model folder, small enough for end-to-end tests of the tool in seconds.

    PYTHON=$(bash Tests/peers/environment.sh | tail -n 1)
    "$PYTHON" Fixtures/models/make_tiny_bert.py

An uncased BERT encoder without a head (the names carry no `bert.` prefix), 2 layers of 32, random weights from a fixed seed, and a
WordPiece vocabulary of our own in which every ASCII text tokenises: all punctuation, letters and digits, alone and as
continuations, and some frequent words and endings. versions.json says what made it.
"""
import json
import os
import string

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from transformers import BertConfig, BertModel

SEED = 20240608
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny-bert")
WORDS = """the a an and or but not no is are was were be it its this that i you he she we they of to in on for with at from as by
very more most all so too film movie story good bad great poor love hate best worst fun dull dark light man woman day time year
city new old first last one two said says will would can could has have had do does did who what when where how why""".split()
ENDINGS = "##s ##ed ##ing ##er ##est ##ly ##ness ##ful ##less ##tion ##al ##en ##es ##y ##able".split()


def main():
    transformers.logging.disable_progress_bar()
    characters = string.ascii_lowercase + string.digits
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *string.punctuation, *characters,
                  *("##" + c for c in characters), *WORDS, *ENDINGS]
    vocabulary = list(dict.fromkeys(vocabulary))
    torch.manual_seed(SEED)
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                        intermediate_size=64, max_position_embeddings=128, initializer_range=0.1)
    BertModel(config).save_pretrained(FOLDER)
    os.chmod(os.path.join(FOLDER, "model.safetensors"), 0o644)
    with open(os.path.join(FOLDER, "vocab.txt"), "w") as file:
        file.write("\n".join(vocabulary) + "\n")
    tokens = dict(unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]")
    settings = {"do_lower_case": True, "model_max_length": 128, "strip_accents": None, "tokenize_chinese_chars": True,
                "tokenizer_class": "BertTokenizer"} | tokens
    for name, value in [("tokenizer_config.json", settings),
                        ("versions.json", {"torch": torch.__version__, "transformers": transformers.__version__, "seed": SEED})]:
        with open(os.path.join(FOLDER, name), "w") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
    print(f"tiny-bert: {len(vocabulary)} tokens, {sum(os.path.getsize(os.path.join(FOLDER, f)) for f in os.listdir(FOLDER))} bytes")


main()
