"""How the page looks: Gradio's own theme with the system's fonts, and a little CSS of ours."""

from gradio.themes import Base, Soft

from vqspeech.demo import pictures

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> Base:
    """Soft, teal, with fonts that every computer has: nothing is fetched from elsewhere."""
    return Soft(primary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=MONO)


CSS = (
    pictures.CSS
    + """
.gradio-container { max-width: 1060px !important; margin: 0 auto !important; }
.vq-head h1 { font-size: 1.7rem; font-weight: 700; margin: 0.4rem 0 0.1rem; }
.vq-head p { margin: 0.1rem 0; }
.vq-consent, .vq-note { color: var(--body-text-color-subdued); font-size: 0.88rem; }
.vq-status { padding: 0.55rem 0.8rem; border-radius: 8px; min-height: 1.4rem;
  background: var(--background-fill-secondary); border: 1px solid var(--border-color-primary);
  overflow-wrap: anywhere; }
.vq-status progress { width: min(40%, 14rem); accent-color: var(--primary-500);
  vertical-align: middle; margin: 0 0.5rem; }
.vq-done { border-color: var(--primary-500); }
.vq-failed { border: 1px solid #dc2626; border-left-width: 6px; font-weight: 600; }
.vq-sizes { width: 100%; border-collapse: collapse; font-size: 0.92rem; }
.vq-sizes caption { text-align: left; font-weight: 600; padding: 0.2rem 0; }
.vq-sizes, .vq-sizes tr, .vq-sizes th, .vq-sizes td { border: 0 !important; }
.vq-sizes th { text-align: left; font-weight: 400; padding: 0.15rem 0.6rem 0.15rem 0; }
.vq-sizes td { text-align: right; padding: 0.15rem 0.6rem; white-space: nowrap; }
.vq-sizes .vq-bar { width: 35%; text-align: left; }
.vq-bar i { display: block; height: 0.7rem; border-radius: 3px; background: var(--primary-500); }
@media (max-width: 640px) {
  .vq-sizes .vq-bar { display: none; }
  .vq-sizes td { padding: 0.15rem 0 0.15rem 0.5rem; }
}
"""
)
