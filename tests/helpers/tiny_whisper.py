"""Whisper models of no use, small enough to make in no time, in both formats."""

import struct

import numpy as np
import torch

MELS, WIDTH, LAYERS, POSITIONS = 16, 12, 3, 50
"""As `tiny_runs.CONFIG` needs it: crops of up to a second."""


def model(seed=0, mels=MELS):
    """A `transformers.WhisperModel`: random weights far from nothing."""
    from transformers import WhisperConfig, WhisperModel

    torch.manual_seed(seed)
    shape = {"encoder_layers": LAYERS, "encoder_attention_heads": 2, "encoder_ffn_dim": 20}
    shape |= {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 8}
    shape |= {"vocab_size": 20, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}
    shape |= {"decoder_start_token_id": 0, "max_target_positions": 8}
    config = WhisperConfig(
        d_model=WIDTH, num_mel_bins=mels, max_source_positions=POSITIONS, **shape
    )
    made = WhisperModel(config)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(10 if "embed" not in name else 3)
            parameter.copy_(parameter.half().float())  # CTranslate2's files have no more
    return made


def in_ctranslate2(encoder, heads=2, kind=4):
    """The bytes of a `model.bin`. kind: CTranslate2's number of the type; 4: float16, 1: int8."""
    state = {k: v.detach().numpy() for k, v in encoder.state_dict().items()}
    out = {"encoder/position_encodings/encodings": state["embed_positions.weight"]}
    norm = {"gamma": "weight", "beta": "bias"}
    plain = {"weight": "weight", "bias": "bias"}

    def put(place, name, parts):
        for own, known in parts.items():
            out[f"encoder/{place}/{own}"] = state[f"{name}.{known}"]

    put("layer_norm", "layer_norm", norm)
    put("conv1", "conv1", plain)
    put("conv2", "conv2", plain)
    for i in range(LAYERS):
        layer, name = f"layer_{i}", f"layers.{i}"
        put(f"{layer}/self_attention/layer_norm", f"{name}.self_attn_layer_norm", norm)
        put(f"{layer}/self_attention/linear_1", f"{name}.self_attn.out_proj", plain)
        put(f"{layer}/ffn/layer_norm", f"{name}.final_layer_norm", norm)
        put(f"{layer}/ffn/linear_0", f"{name}.fc1", plain)
        put(f"{layer}/ffn/linear_1", f"{name}.fc2", plain)
        own = [f"{name}.self_attn.{one}_proj" for one in "qkv"]
        three = [state[f"{one}.weight"] for one in own]
        biases = [state.get(f"{one}.bias", np.zeros(WIDTH)) for one in own]
        out[f"encoder/{layer}/self_attention/linear_0/weight"] = np.concatenate(three)
        out[f"encoder/{layer}/self_attention/linear_0/bias"] = np.concatenate(biases)
    dtype = {4: "<f2", 0: "<f4", 1: "i1"}[kind]
    tensors = [(k, kind, v.astype(dtype)) for k, v in sorted(out.items())]
    tensors.append(("encoder/num_heads", 2, np.array(heads, "<i2")))
    tensors.append(("decoder/projection/weight", 4, np.zeros((3, 2), "<f2")))
    return _file(tensors)


def _file(tensors):
    def text(name):
        return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"

    found = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(tensors))]
    for name, kind, values in tensors:
        found += [text(name), struct.pack("<B", values.ndim)]
        found += [struct.pack("<I", size) for size in values.shape]
        found += [struct.pack("<BI", kind, values.nbytes), values.tobytes()]
    return b"".join(found) + struct.pack("<I", 0)


def folder_of(root, seed=0, mels=MELS):
    """A folder as faster-whisper takes it."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "model.bin").write_bytes(in_ctranslate2(model(seed, mels).encoder))
    return root
