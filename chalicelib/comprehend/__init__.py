"""Manage Comprehend's versions: train them on labelled tweets, host them on endpoints, compare and delete them."""


class RefusedError(Exception):
    """Not possible in the present state; says what to do first."""
