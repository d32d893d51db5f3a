"""Deploy what `chalice deploy` doesn't: data plane, policies, checks before and after, and removal."""
