"""The metrics by name, as they stand in a report, and what each of them needs."""

from dataclasses import dataclass

NAN = float("nan")


@dataclass(frozen=True)
class Metric:
    """One line of the report. `weight` names the per-file count that averages are weighted by."""

    name: str
    label: str
    group: str
    digits: int = 2
    higher_is_better: bool = True
    weight: str | None = None


WHISPER = "whisper_"
"""What names of figures begin with that Whisper heard; those of pocketsphinx begin with nothing."""


def _words(prefix: str, whom: str) -> tuple[Metric, ...]:
    """The figures of one recogniser (`recognisers.Recogniser`), whom `whom` names."""
    right, kept = f"{prefix}words_right", f"{prefix}words_kept"
    heard = f"words right{whom}, % of those heard in the original"
    return (
        Metric(right, f"words right{whom}, % of the transcript", "words", 1, weight="words"),
        Metric(f"{prefix}word_error", f"word error rate{whom}, %", "words", 1, False, "words"),
        Metric(kept, heard, "words", 1, True, f"{prefix}kept"),
    )


METRICS = (
    Metric("dnsmos_ovrl", "DNSMOS OVRL", "dnsmos"),
    Metric("dnsmos_sig", "DNSMOS SIG", "dnsmos"),
    Metric("dnsmos_bak", "DNSMOS BAK", "dnsmos"),
    *_words("", ""),
    *_words(WHISPER, " (Whisper)"),
    Metric("speaker_similarity", "speaker similarity", "speaker"),
    Metric("f0_correlation", "F0 correlation", "f0"),
    Metric("voicing_agreement", "voicing agreement, %", "f0", 1),
    Metric("mel_distance", "log-mel distance, dB", "mel", 2, False),
    Metric("estoi", "ESTOI", "estoi"),
    Metric("pesq", "PESQ-WB", "pesq"),
    Metric("visqol", "ViSQOL", "visqol"),
)

CONVERSION_METRICS = (
    Metric("target_similarity", "speaker similarity to the target", "speaker"),
    Metric("source_similarity", "speaker similarity to the source", "speaker", 2, False),
    Metric("closer_to_target", "nearer to the target than to the source, %", "speaker", 0),
    Metric("f0_off", "median F0 off the target's, semitones", "f0", 1, False),
    Metric("f0_within", "median F0 within 2 semitones of the target's, %", "f0", 0),
    *(metric for metric in METRICS if metric.group in ("dnsmos", "words")),
)
"""Of a conversion, which has no original to be compared with sample by sample."""

GROUPS = tuple(dict.fromkeys(metric.group for metric in METRICS))

MODULES = {
    "dnsmos": ("onnxruntime", "speechmos"),
    "words": (),
    "speaker": ("resemblyzer", "webrtcvad"),
    "f0": (),
    "mel": (),
    "estoi": ("pystoi",),
    "pesq": ("pesq",),
    "visqol": ("ai_edge_litert", "visqol"),
}
"""What each group imports beyond the package's own requirements; recognisers say it themselves."""
