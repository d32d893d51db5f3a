"""A network of posts that is made up: who writes what when, and the servers that tell of it as the real ones do."""
