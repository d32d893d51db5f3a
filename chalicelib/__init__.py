"""All run-time code: the same on AWS and on a laptop."""
