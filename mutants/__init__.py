"""Mutation testing: change one thing in the code, and see whether a test fails.

`make mutants` runs it; CONTRIBUTING.md says how to read it. It has a virtual environment of its own, `.venv-mutants`.
Most changes are those of mutmut (mutmut.readthedocs.io). mutmut's own runner is not used: it leaves constants and
decorated functions alone, and replaces each function by a wrapper, which breaks tests that look at a function's
defaults.
"""
