"""What `chalice deploy` doesn't do: the data plane, the policies, checks before and after, and taking it all down."""
