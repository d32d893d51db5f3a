"""Make labels from dirty tweets, and the bundled classifier from labels: clean, label, split, train, evaluate.

`python -m label_prep` does it all on `../shared/data`. Nothing of this is deployed.
"""
