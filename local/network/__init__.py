"""Simulate a network of posts, and serve it with the protocols of real networks."""
