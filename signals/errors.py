"""The error that tells a user what is wrong with what they gave us."""

from __future__ import annotations


class InputError(ValueError):
    """A configuration, model, artifact or data file that cannot be used as given.

    The message names the artifact, split, signature, feature or field, what was
    found and what was expected. It is written for someone who has never seen the
    code, so nothing needs to be added to it when it is shown.
    """
