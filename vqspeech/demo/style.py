"""How the page looks: Gradio's own theme with the system's fonts, and a little CSS of ours."""

import gradio as gr

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Soft, teal, with fonts that every computer has: nothing is fetched from elsewhere."""
    return gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=MONO)


CSS = """
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
.vq-panel { margin: 0 0 0.7rem; }
.vq-panel figcaption { display: flex; flex-wrap: wrap; justify-content: space-between;
  gap: 0 1rem; font-weight: 600; padding: 0.15rem 0; overflow-wrap: anywhere; }
.vq-panel figcaption span { font-weight: 400; color: var(--body-text-color-subdued);
  font-size: 0.85rem; }
.vq-plot { position: relative; height: 150px; border-radius: 6px; overflow: hidden; }
.vq-plot img, .vq-plot svg { position: absolute; inset: 0; width: 100%; height: 100%;
  max-width: none; margin: 0; object-fit: fill; }
.vq-codes { height: 34px; }
.vq-codes img { image-rendering: pixelated; }
.vq-plot b { position: absolute; left: 6px; color: #fff; font-weight: 500; font-size: 0.72rem;
  text-shadow: 0 0 3px #000, 0 0 3px #000; }
.vq-top { top: 3px; } .vq-bottom { bottom: 3px; }
.vq-plot polyline { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round;
  stroke-linecap: round; }
.vq-under polyline { stroke: #000; stroke-width: 5; opacity: 0.65; }
.vq-pitch polyline { stroke: #5eead4; stroke-width: 2.4; }
.vq-ticks { position: relative; height: 1.2rem; font-size: 0.75rem;
  color: var(--body-text-color-subdued); }
.vq-ticks i { position: absolute; font-style: normal; }
.vq-sizes { width: 100%; border-collapse: collapse; font-size: 0.92rem; }
.vq-sizes caption { text-align: left; font-weight: 600; padding: 0.2rem 0; }
.vq-sizes th { text-align: left; font-weight: 400; padding: 0.15rem 0.6rem 0.15rem 0; }
.vq-sizes td { text-align: right; padding: 0.15rem 0.6rem; white-space: nowrap; }
.vq-sizes .vq-bar { width: 35%; text-align: left; }
.vq-bar i { display: block; height: 0.7rem; border-radius: 3px; background: var(--primary-500); }
@media (max-width: 640px) {
  .vq-sizes .vq-bar { display: none; }
  .vq-sizes td { padding: 0.15rem 0 0.15rem 0.5rem; }
  .vq-plot { height: 110px; } .vq-codes { height: 28px; }
}
"""
