"""Reading a command line: what is wrong with it is an InputError that says the one thing to do."""

import argparse
import os
import re

from vqspeech.errors import InputError

FILE_LIKE = re.compile(r"-[^=]*\.[A-Za-z][A-Za-z0-9]{1,11}")
"""What begins with a dash and is rather a file's name than an option."""


class Parser(argparse.ArgumentParser):
    """Wrong arguments are bad input like any other: one line, no page of usage."""

    def error(self, message: str):
        raise InputError(f"{message}; see `{self.prog} --help`")

    def parse(self, arguments: list[str]) -> argparse.Namespace:
        """Names may stand before, between and after the options. Raises InputError."""
        ended = "--" in arguments  # argparse cannot mix names and options beside that
        parse = self.parse_known_args if ended else self.parse_known_intermixed_args
        try:
            options, left = parse(arguments)
            if left:
                self._refuse(left)
        except InputError:
            for word in arguments[: arguments.index("--") if ended else None]:
                if _is_dashed_file(word):
                    raise InputError(
                        f"{word}: a name that begins with a dash is taken for an option; write "
                        f"./{word}"
                    ) from None
            raise
        self._refuse_empty(options)
        return options

    def _refuse_empty(self, options: argparse.Namespace) -> None:
        """Raise InputError for an argument of no characters, which as a path would be the working
        folder."""
        for action in self._actions:
            value = getattr(options, action.dest, None)
            if "" in (value if isinstance(value, list) else [value]):
                name = action.option_strings[0] if action.option_strings else action.metavar
                raise InputError(f"{name} is an empty name; is a variable of the shell unset?")

    def _refuse(self, left: list[str]) -> None:
        """Raise InputError about arguments that are left over."""
        names = [str(action.metavar) for action in self._get_positional_actions()]
        if len(names) == 2 and not left[0].startswith("-"):
            raise InputError(
                f"{left[0]}: is one name too many after {' and '.join(names)}; for all files of a "
                f"folder give the folder itself as {names[0]}, not `*`"
            )
        self.error(f"unrecognized arguments: {' '.join(left)}")


def _is_dashed_file(word: str) -> bool:
    named = len(word) > 1 and word.startswith("-")
    return named and (FILE_LIKE.fullmatch(word) is not None or os.path.lexists(word))
