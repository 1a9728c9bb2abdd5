"""Objective quality of a codec: metrics on pairs of signals, the runner, the report.

Needs the `eval` extra (`pip install 'vqspeech[eval]'`); nothing heavy is imported before its use,
and nothing here reaches for the network.
"""
