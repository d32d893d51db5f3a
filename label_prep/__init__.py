"""Labels out of dirty tweets, and the bundled classifier out of labels: clean, label, split, train, evaluate.

`python -m label_prep` does it all on `../shared/data`. Nothing of this is deployed.
"""
