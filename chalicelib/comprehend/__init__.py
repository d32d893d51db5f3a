"""The life of Comprehend's versions: trained on labelled tweets, hosted by an endpoint, compared, and given up."""


class RefusedError(Exception):
    """Not possible in the present state; says what to do first."""
