"""Run by the model server's Python: ``python convert_gguf.py MODEL.gguf OUT [TEMPLATE.jinja]``.

Turns a Llama-type GGUF file into a float32 model folder (config, safetensors, tokenizer). It stands alone: torch and
transformers live in the server's environment, toleap does not. Not covered: other architectures, sharded files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def convert(source: Path, out: Path, template: Path | None) -> None:
    """Write the model folder ``out`` from the GGUF file ``source``; ``template`` is its chat template."""
    import torch  # type: ignore[import-not-found,unused-ignore]
    from transformers import (  # type: ignore[import-not-found,unused-ignore]
        AutoModelForCausalLM,
        AutoTokenizer,
        LlamaForCausalLM,
    )

    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    dequantised = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    config = dequantised.config
    # A model that remembers its quantisation refuses to be saved, so its weights move into a fresh one.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.dtype = torch.float32
    fresh = LlamaForCausalLM(config).to(torch.float32)
    fresh.load_state_dict(dequantised.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(**where)
    if template is not None:
        tokenizer.chat_template = template.read_text("utf-8")
    fresh.generation_config.eos_token_id = tokenizer.eos_token_id
    fresh.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    arguments = [Path(argument) for argument in sys.argv[1:]]
    convert(arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else None)
