"""The command line: `vqspeech VERB`. One module a verb, each with `add_arguments` and `run`."""
