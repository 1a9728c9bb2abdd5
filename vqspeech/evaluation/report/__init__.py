"""The result of an evaluation: data first, then Markdown, JSON and a page made from it."""
