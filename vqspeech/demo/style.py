"""How the page looks: Gradio's own theme with the system's fonts, and a little CSS of ours."""

from gradio.themes import Base, Soft

from vqspeech.demo import pictures

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> Base:
    """Soft, teal, with fonts that every computer has: nothing is fetched from elsewhere.

    Its own tones leave words at 2.5 to 1 against what they stand on; these are at 4.5 and more
    (Web Content Accessibility Guidelines 2.2, success criterion 1.4.3), dark or light.
    """
    dark, darker = "*primary_700", "*primary_800"
    soft = Soft(primary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=MONO)
    return soft.set(
        background_fill_primary=soft.background_fill_primary,  # or `set` makes it white
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        block_label_text_color=dark,
        block_title_text_color=dark,
        block_label_background_fill_dark=dark,
        block_title_background_fill_dark=dark,
        button_primary_background_fill=dark,
        button_primary_background_fill_dark=dark,
        button_primary_background_fill_hover=darker,
        button_primary_background_fill_hover_dark=darker,
        button_primary_border_color=dark,
        button_primary_border_color_dark=dark,
        button_primary_border_color_hover=darker,
        button_primary_border_color_hover_dark=darker,
        checkbox_label_background_fill_selected=dark,
        checkbox_label_background_fill_selected_dark=dark,
        checkbox_background_color_selected=darker,
        checkbox_background_color_selected_dark=darker,
        checkbox_border_color_selected=darker,
        checkbox_border_color_selected_dark=darker,
        color_accent=dark,
        link_text_color_dark="*secondary_400",
        link_text_color_visited_dark="*secondary_400",
    )


CSS = (
    pictures.CSS
    + """
.gradio-container { max-width: 1060px !important; margin: 0 auto !important; }
.dark .gradio-container { --color-accent: var(--primary-400); }
.gradio-container time, .gradio-container .playback {
  color: var(--body-text-color-subdued) !important; }
.vq-head h1 { font-size: 1.7rem; font-weight: 700; margin: 0.4rem 0 0.1rem; }
.vq-head p { margin: 0.1rem 0; }
.vq-consent, .vq-note { color: var(--body-text-color-subdued); font-size: 0.88rem; }
.vq-status { padding: 0.55rem 0.8rem; border-radius: 8px; min-height: 1.4rem;
  background: var(--background-fill-secondary); border: 1px solid var(--border-color-primary);
  overflow-wrap: anywhere; }
.vq-status progress { width: min(40%, 14rem); height: 0.5rem; vertical-align: middle;
  margin: 0 0.5rem; appearance: none; border: 0; border-radius: 4px; overflow: hidden;
  background: var(--border-color-primary); }
.vq-status progress::-webkit-progress-bar { background: var(--border-color-primary); }
.vq-status progress::-webkit-progress-value { background: var(--primary-600); }
.vq-status progress::-moz-progress-bar { background: var(--primary-600); }
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
