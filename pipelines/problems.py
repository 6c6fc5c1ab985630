"""What goes wrong, sorted by whose turn it is: the user's (exit code 2) or the job's (1)."""

from collections.abc import Sequence


class UserError(Exception):
    """Wrong arguments, catalog, rates or input, said before anything is written.

    `problems` names each culprit and the way out, a line each.
    """

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class JobFailedError(Exception):
    """The run failed; nothing of it is visible."""
