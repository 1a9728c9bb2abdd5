"""The one exception that means "the input is wrong", not "the program is wrong"."""


class InputError(ValueError):
    """Bad input from the user: a file, an option, a configuration.

    The message is one line that names the thing, says what is wrong with it and what to do.
    The command line prints it without a traceback and exits with status 2.
    """
