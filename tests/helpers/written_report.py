"""A report.json, as `vqspeech evaluate` writes them, with figures of a test's own."""

import json

METHODS = ("original", "preview", "wavenet", "wavenet-unfiltered", "convert-wavenet", "opus-6000")


def written(path, figure, methods=METHODS, rate=450.0, **about):
    """A report.json with the keys that `vqspeech evaluate` has always written."""
    scores = {method: {"estoi": figure - i / 100} for i, method in enumerate(methods)}
    scores["convert-wavenet"] = {"target_similarity": 0.7}
    scores["opus-6000"] = {"estoi": None}
    facts = {"model": "base", "fingerprint": "00ff", "vqspeech": "0.1.0", "seed": 0, "seeds": 2}
    facts |= {"date": "2030-01-02T03:04:05+00:00", "temperature": 0.7, "targets": ["bert"]}
    facts |= {"machine": {"processor": "abacus", "cores": 2, "system": "Linux", "torch": "2.11"}}
    facts |= {"seconds_of_speech": 12.0, "speakers": 1, "unknown_speaker_utterances": 0}
    facts |= {"unknown_speakers_decoded_as": "", "cut_to_first_minute": 0, "samples_per_step": 4}
    codes = {"codes": 600, "codebook_size": 512, "codebooks": 1, "entries": 512, "used": 480}
    codes |= {"dead": 32, "perplexity": 301.2, "bits_per_second": rate}
    rates = {
        "packed": {"coded": rate + 1, "file": rate + 60},
        "prior": {"coded": 100 * figure, "file": 9},
    }
    by_seed = {"wavenet": [{"estoi": figure - 0.05}, {"estoi": figure + 0.01}]}
    content = {
        "about": facts | {"utterances": 2} | about,
        "codes": codes | {"entropy_bits_per_second": 411.6},
        "bits_per_second": rates | {"opus-6000": {"coded": 6100.0, "file": 8000.0}},
        "nats_of_bits": 16,
        "nats_per_step": {"right": 10.0, "shuffled": 11.0, "difference": 1.0},
        "nats_per_sample": {},
        "averages": {method: {} for method in methods},
        "wavenet_less_preview": {},
        "spread_over_seeds": {},
        "utterances": [{"scores": scores, "by_seed": by_seed}] * 2,
        "skipped": [{"file": "x.wav", "reason": f"{path.parent.name}: bad"}],
        "notes": ["speex-2150 was left out"],
    }
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    return path
