"""Read posts as they are written: parse a source's events, choose posts to forward, and keep the cursor."""
